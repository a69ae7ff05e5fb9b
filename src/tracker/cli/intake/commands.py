"""`tracker intake`: what other products send, what it becomes, and what recorded nothing."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.exits import FAILED, INTAKE_TABLE, CommandError
from tracker.cli.helped import client_group
from tracker.cli.intake.sending import KUBERNETES, parts_of, texts_of
from tracker.cli.intake.shown import INTAKES, MESSAGES, intake_row, message_row, print_message, print_test
from tracker.cli.options import ListApi, RecordApi, choice_option, command_of, number_option
from tracker.cli.printing import echo, say
from tracker.cli.tables import Table
from tracker.number_text import number_of

if TYPE_CHECKING:
    from tracker.pb import intake_pb

app = client_group("See what other products send, and what becomes of it.", INTAKE_TABLE)
command = partial(command_of, app, codes=INTAKE_TABLE)

_MOST = 1_000
Sender = Annotated[
    str, typer.Option(metavar="NAME", help="Name of the sender, such as github.  [default: all]")
]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", metavar="NAME:VALUE", help="Header that it sends; may be repeated."),
]


@command("senders")
def senders(*, api: ListApi) -> None:
    """List the products that have sent messages, and what became of these."""
    from tracker.client.rpcs import LIST_INTAKES

    answer = api.call(LIST_INTAKES, LIST_INTAKES.request())
    api.show_list(answer, answer.intakes, Table(INTAKES, intake_row), "nothing was sent yet")


@command("list")
def list_(
    *,
    sender: Sender = "",
    outcome: Annotated[
        str | None,
        choice_option(
            "intake_pb.IntakeOutcome",
            "Those with an outcome: recorded (by a replay), ignored, refused, failed.",
            "--outcome",
        ),
    ] = None,
    limit: Annotated[int, number_option("How many to print.", "--limit", "-n", least=1, most=_MOST)] = 100,
    api: ListApi,
) -> None:
    """List the messages that recorded nothing, the newest first.

    Example: tracker intake list --sender github --outcome refused
    """
    from tracker.client.rpcs import LIST_INTAKE_MESSAGES

    request = LIST_INTAKE_MESSAGES.of(
        {"sender": sender, "outcome": outcome or "INTAKE_OUTCOME_UNSPECIFIED", "limit": limit}
    )
    answer = api.call(LIST_INTAKE_MESSAGES, request)
    api.show_list(answer, answer.messages, Table(MESSAGES, message_row), "no messages")


@command("show")
def show(
    message: Annotated[str, typer.Argument(metavar="ID", help="Id of the message.")], *, api: RecordApi
) -> None:
    """Show a message that recorded nothing, with its headers and body."""
    from tracker.client.rpcs import GET_INTAKE_MESSAGE

    answer = api.call(GET_INTAKE_MESSAGE, GET_INTAKE_MESSAGE.request(id=message))
    api.show(answer, lambda: print_message(answer.message))


@command("replay")
def replay(
    messages: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of messages.")],
    *,
    api: RecordApi,
) -> None:
    """Handle messages again, such as after the mapping was changed or a lock released.

    Example: tracker intake replay 0190d6e0-0000-7000-8000-000000000000
    """
    from tracker.client.rpcs import REPLAY_INTAKE_MESSAGE

    left = 0
    for each in messages:
        answer = api.call(REPLAY_INTAKE_MESSAGE, REPLAY_INTAKE_MESSAGE.request(id=each))
        message = answer.message
        api.show(answer, partial(_print_outcome, message))
        left += message is None or message.outcome.name != "recorded"
    if left:
        raise CommandError(f"{left} of {len(messages)} recorded nothing", FAILED)


def _print_outcome(message: intake_pb.IntakeMessage | None) -> None:
    if message is not None:
        echo(f"{message.id} {message.outcome.name}{f': {message.reason}' if message.reason else ''}")


@command("test")
def try_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="File with the message; -: standard input.")],
    *,
    sender: Annotated[str, typer.Option(metavar="NAME", help="Name of the sender, such as github.")],
    header: Headers = None,
    path: Annotated[
        str, typer.Option(metavar="PATH", help="Path that it would be sent to, where the sender has several.")
    ] = "",
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rules to use, without a server.  [default: those of the server]"),
    ] = None,
    api: RecordApi,
) -> None:
    """Show what a message would become; nothing is recorded.

    Example: tracker intake test payload.json --sender github -H X-GitHub-Event:release --mapping mapping.toml
    """
    from tracker.client.rpcs import TEST_INTAKE

    request = TEST_INTAKE.request(
        sender=sender, headers=_headers(header), body=_content(file).decode(errors="replace"), path=path
    )
    answer = api.call(TEST_INTAKE, request) if mapping is None else _tested(request, mapping)
    api.show(answer, lambda: print_test(answer))
    if answer.outcome.name in ("refused", "failed"):
        raise CommandError(f"{answer.outcome.name}: {answer.reason}", FAILED)


def _tested(request: intake_pb.TestIntakeRequest, mapping: Path) -> intake_pb.TestIntakeResponse:
    """Return what a message would become by the rules in a file."""
    import asyncio

    from tracker.errors import TrackerError
    from tracker.intakes.mapping_file import MappingError, read
    from tracker.intakes.preview import preview

    try:
        return asyncio.run(preview(request, read(mapping)))
    except OSError as error:
        raise CommandError(f"{mapping}: {error.strerror}") from None
    except MappingError as error:
        raise CommandError(str(error)) from None
    except TrackerError as error:
        raise CommandError(error.message) from None


@command("send")
def send(
    sender: Annotated[
        str, typer.Argument(metavar="SENDER", help="Name of the sender, such as kubernetes, or one of yours.")
    ],
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="File with the message; -: standard input.")
    ] = "-",
    *,
    header: Headers = None,
    api: RecordApi,
) -> None:
    """Send a message to the webhook of a sender. Those of kubernetes are sent as they arrive.

    Example: kubectl get events -A -o json --watch | tracker intake send kubernetes
    """
    path, headers = f"/api/v1alpha1/integrations/{sender}/webhook", _headers(header)
    with api.connected() as connection:
        if sender != KUBERNETES:
            answer = connection.deliver(path, _content(file), headers)
            api.show(lambda: answer, lambda: echo(" ".join(f"{name}: {of}" for name, of in answer.items())))
            return
        lines = sys.stdin.buffer if file == "-" else _content(file).splitlines(keepends=True)
        recorded = 0
        for body in parts_of(texts_of(lines)):
            answer = connection.deliver(path, body, headers)
            recorded += int(str(answer.get("events", 0))) or "eventId" in answer
    say(f"{number_of(recorded, 'event')} recorded")


def _headers(given: list[str] | None) -> dict[str, str]:
    headers = {}
    for each in given or ():
        name, colon, value = each.partition(":")
        if not colon or not name.strip():
            raise CommandError(f"--header: expected NAME:VALUE, not {each!r}")
        headers[name.strip().lower()] = value.strip()
    return headers


def _content(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
