# The bot on the layout of Freqtrade's own image: user ftuser (1000), work in /freqtrade, data in
# /freqtrade/user_data. docs/container.md says how to run it, compose.yaml does.
#
#   docker build -t pairbot .
#   docker build -t pairbot-dask --build-arg EXTRAS="dask fast research" .
#
# Everything comes from requirements.lock with its hash, as wheels or plain Python: there is no compiler in either
# stage, and a platform that would need one fails here.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
# Extras of the package, see pyproject.toml.
ARG EXTRAS="fast postgres"
WORKDIR /build
COPY deploy/container/lock_subset.py requirements.lock pyproject.toml ./
RUN python lock_subset.py --name setuptools > build.lock \
    && python lock_subset.py --extras "${EXTRAS}" > runtime.lock
RUN python -m venv tools && tools/bin/pip install --no-cache-dir --require-hashes -r build.lock
# Not isolated: what is built is built by the setuptools of the lock.
RUN tools/bin/pip wheel --no-cache-dir --no-build-isolation --require-hashes --wheel-dir wheels -r runtime.lock
# The wheel has the documentation that messages refer to.
COPY README.md LICENSE SECURITY.md CHANGELOG*.md ./
COPY docs docs
COPY pairbot_ext pairbot_ext
# The bot's own environment has no pip.
RUN tools/bin/pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir wheels . \
    && python -m venv --without-pip /opt/pairbot \
    && tools/bin/pip --python /opt/pairbot install --no-cache-dir --no-index --no-deps wheels/*.whl

FROM python:${PYTHON} AS bot
RUN useradd --uid 1000 --user-group --create-home --shell /bin/bash ftuser \
    && install --directory --owner ftuser --group ftuser /freqtrade/user_data
COPY --from=build /opt/pairbot /opt/pairbot
WORKDIR /freqtrade
COPY config.json pairs_config.json deploy/json-log.json ./
COPY strategies strategies
ENV PATH=/opt/pairbot/bin:$PATH \
    LANG=C.UTF-8 \
    PYTHONFAULTHANDLER=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FT_APP_ENV=docker \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/tmp/numba
USER 1000:1000
EXPOSE 8080
# Healthy while the bot's loop has run within the last two minutes.
HEALTHCHECK --interval=60s --timeout=15s --start-period=180s --retries=3 CMD ["pairbot", "health"]
# Reads secrets from files, then becomes freqtrade with these arguments; "pairbot ..." is run as it stands.
ENTRYPOINT ["pairbot", "run", "--"]
CMD ["trade", "--strategy", "PairsArb", "--config", "config.json"]
