"""Calls to the server that a command names, how their answers are printed, and how the command fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tracker.cli import unsent
from tracker.cli.credentials import PLAIN_HTTP_VARIABLE, TOKEN_VARIABLE, Credential, credential_for
from tracker.cli.exits import FAILED, LOCKED, NOT_YET, UNREACHABLE, USAGE, WAITED, CommandError
from tracker.cli.printing import (
    Output,
    json_of,
    print_csv,
    print_document,
    print_each,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from protobuf import Message

    from tracker.cli.printing import Cell, M
    from tracker.cli.tables import Table
    from tracker.client.connection import ApiError, Connection
    from tracker.client.rpc import A, Q, Rpc
    from tracker.transcoding.json_text import JsonValue

Document: TypeAlias = "Message | Callable[[], Mapping[str, JsonValue]]"
"""What is printed as one document: an answer, or a function that returns its fields."""


class Api(NamedTuple):
    """The server that a command calls, and the form in which the command prints the answer."""

    server: str
    output: Output = Output.TEXT
    token_file: Path | None = None
    """File of the token to send, in place of another one."""

    def call(self, rpc: Rpc[Q, A], request: Q) -> A:
        """Call an RPC; a failure ends the command."""
        with self.connected() as connection:
            return connection.call(rpc, request)

    def whole(self, rpc: Rpc[Q, A], request: Q) -> A:
        """Call an RPC that answers in pages, and return the records of all; a failure ends the command."""
        with self.connected() as connection:
            return connection.whole(rpc, request)

    @contextmanager
    def connected(
        self, credential: Credential | None = None, *, send_kept: bool = True
    ) -> Iterator[Connection]:
        """Connect to the server, and send it what was kept for it; a failed call ends the command.

        If one document was asked for, the failure is printed as one. `credential` replaces that of the user.
        """
        from tracker.client.connection import ApiError, Connection

        credential = credential or credential_for(self.server, self.token_file)
        try:
            with Connection(
                self.server,
                repeats=lambda error: say(f"{error}; trying again"),
                token=credential.token,
                plain_http=credential.plain_http,
            ) as connection:
                if send_kept:
                    with suppress(ApiError):  # reported by the command itself
                        unsent.send_kept(connection)
                yield connection
        except ApiError as error:
            if self.output in (Output.JSON, Output.YAML):
                metadata: JsonValue = {name: str(value) for name, value in error.metadata.items()}
                details = {"message": error.message, "code": error.code.name, "reason": error.reason}
                print_document({"error": {**details, "metadata": metadata}}, self.output)
            raise CommandError(error.message + hint(error, credential.source), exit_code(error)) from None

    def show(  # what each form needs
        self,
        answer: Document,
        text: Callable[[], object],
        *,
        records: Iterable[Message] = (),
        columns: Iterable[str] = (),
        rows: Iterable[Sequence[Cell]] = (),
    ) -> None:
        """Print an answer in the form that was asked for.

        For people, `text` prints it. `ndjson` has a line for each of `records`, `csv` a row for each of
        `rows`, and the others one document.
        """
        match self.output:
            case Output.TEXT:
                text()
            case Output.NDJSON:
                print_each(records, self.output)
            case Output.CSV:
                print_csv(columns, rows)
            case _:
                document = answer() if callable(answer) else json_of(answer, self.output)
                print_document(document, self.output)

    def show_list(
        self, answer: Document, records: Iterable[M], table: Table[M], none: str, *, err: bool = True
    ) -> None:
        """Print records in the form that was asked for, as they arrive if it has a line for each.

        `none` is the message for people if there are none; it goes to standard error if `err`.
        """
        self.show(
            answer,
            lambda: table.print(records, none, err=err),
            records=records,
            columns=[column.name.lower() for column in table.columns],
            rows=map(table.row, records),
        )


def hint(error: ApiError, source: str) -> str:
    """Return what the user can do about an error; `source` is where the token is from, if one was sent."""
    from tracker.client.connection import NO_ANSWER, NO_TLS
    from tracker.errors import Code

    match error.reason, error.code:
        case (x, _) if x in (NO_ANSWER, ""):
            return "; --server or TRACKER_SERVER names another"
        case (x, _) if x == NO_TLS:
            return f"; use https://, or set {PLAIN_HTTP_VARIABLE}=true if the network can be trusted"
        case _, Code.UNAUTHENTICATED if source:
            return f"; the token is that of {source}; tracker login stores another one"
        case _, Code.UNAUTHENTICATED:
            return (
                f"; tracker login stores a token for this server, {TOKEN_VARIABLE} or --token-file gives one"
            )
        case _, Code.PERMISSION_DENIED:
            return "; tracker whoami shows what is allowed"
    return ""


def exit_code(error: ApiError) -> int:
    """Return the exit code of a command whose call failed."""
    from tracker.errors import Code, Reason

    codes: dict[str | Code, int] = {
        Reason.LOCK_WAIT_TIMEOUT: WAITED,
        Reason.FREEZE_IN_EFFECT: NOT_YET,
        **dict.fromkeys(
            (Reason.LOCK_HELD, Reason.LOCK_DELAY, Reason.LOCK_LOST, Reason.LOCK_TOKEN_USED), LOCKED
        ),
        Code.INVALID_ARGUMENT: USAGE,
        **dict.fromkeys((Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED), UNREACHABLE),
    }
    return codes.get(error.reason) or codes.get(error.code, FAILED)
