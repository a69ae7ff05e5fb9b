# The wheel is built in one stage; the second has only what runs.
FROM python:3.13-slim-trixie AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /opt/tracker \
    && /opt/tracker/bin/pip install --require-hashes --requirement requirements/image.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY src/ src/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist . \
    && /opt/tracker/bin/pip install --no-deps --no-index dist/*.whl \
    && /opt/tracker/bin/python -m compileall -q /opt/tracker/lib \
    && /opt/tracker/bin/pip uninstall --yes --quiet pip


FROM python:3.13-slim-trixie

# Numbers, so that an orchestrator can tell that this is not root.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/tracker /opt/tracker
ENV PATH=/opt/tracker/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=:: \
    DATABASE_PATH=/data/tracker.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8765 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["tracker", "healthcheck"]
ENTRYPOINT ["tracker"]
CMD ["serv"]
