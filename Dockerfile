# Three images from one file: `--target web` (no TensorFlow, no model file is ever opened in it), `worker`, and
# `worker-gpu`.  The last stage, `all`, is the whole service in one container.
FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TF_CPP_MIN_LOG_LEVEL=3 \
    UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir uv==0.13.9 \
    && useradd --create-home --uid 10001 unstuck \
    && install -d -o unstuck -g unstuck -m 0700 /data /blobs
WORKDIR /srv/unstuck
COPY pyproject.toml uv.lock README.md ./
ENV PATH=/srv/unstuck/.venv/bin:$PATH UNSTUCK_DATA=/data UNSTUCK_HOST=0.0.0.0 UNSTUCK_PORT=8000
VOLUME /data

# Dependencies change seldom, the code often: a layer each.
FROM base AS web
RUN uv sync --locked --no-dev --no-install-project --no-cache --extra celery --extra postgresql --extra s3 --extra telemetry \
    --no-install-package tensorflow
COPY analyzers analyzers
COPY app app
RUN uv sync --locked --no-dev --no-editable --no-cache --extra celery --extra postgresql --extra s3 --extra telemetry \
    --no-install-package tensorflow
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["unstuck", "serve"]

FROM base AS worker
RUN uv sync --locked --no-dev --no-install-project --no-cache --extra celery --extra postgresql --extra s3 --extra telemetry
COPY analyzers analyzers
COPY app app
RUN uv sync --locked --no-dev --no-editable --no-cache --extra celery --extra postgresql --extra s3 --extra telemetry
USER 10001
HEALTHCHECK --interval=30s --timeout=20s --start-period=120s CMD ["python", "-m", "app.worker.alive"]
CMD ["unstuck", "worker"]

FROM base AS worker-gpu
RUN uv sync --locked --no-dev --no-install-project --no-cache --extra celery --extra postgresql --extra s3 --extra telemetry --extra gpu
COPY analyzers analyzers
COPY app app
RUN uv sync --locked --no-dev --no-editable --no-cache --extra celery --extra postgresql --extra s3 --extra telemetry --extra gpu
USER 10001
HEALTHCHECK --interval=30s --timeout=20s --start-period=120s CMD ["python", "-m", "app.worker.alive"]
CMD ["unstuck", "worker"]

FROM worker AS all
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["unstuck", "serve"]
