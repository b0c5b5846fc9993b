# Certwright's image: the operator, the HTTP-01 solver and the command line.
#
#     docker build --tag localhost/certwright:dev .
#
# `make image` makes the same without Docker, of the Debian that it runs on; both take the steps below.

# Debian 13 has Python 3.13, and Debian 12 has 3.11: change both or none.
ARG PYTHON=3.13
ARG DEBIAN=13

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
# The dependencies first, and by themselves, so that a change of the code keeps their layer. kubernetes.aio is the
# client's second half, which nobody imports; it is as large as all else together.
COPY pyproject.toml ./
RUN python -c "import re, tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
extras = project['optional-dependencies']; names = re.findall(r'\w+', extras['all'][0].partition('[')[2]); \
print(*project['dependencies'], *(want for name in names for want in extras[name]), sep='\n')" > requirements.txt \
    && pip install --no-compile --only-binary=:all: --target=/dependencies --requirement=requirements.txt \
    && rm -rf /dependencies/bin /dependencies/kubernetes/aio \
    && find /dependencies -type d -name tests -prune -exec rm -rf {} +
COPY README.md LICENSE ./
COPY operator operator
RUN pip install --no-compile --no-deps --target=/code . \
    && mv /code/bin /commands \
    && sed -i '1s|.*|#!/usr/bin/python3|' /commands/*
# Bytecode is told fresh by its source's time otherwise. The client loads its thousand types when they are asked for.
RUN python -m compileall -q --invalidation-mode unchecked-hash -x 'kubernetes/client/(api|models)/[a-z]' \
        /dependencies /code

FROM gcr.io/distroless/python3-debian${DEBIAN}
ARG PYTHON
# Debian's own modules come without bytecode, and under a read-only root each start would compile them anew.
RUN ["/usr/bin/python3", "-c", "import compileall, os, py_compile; compileall.compile_dir(os.path.dirname(os.__file__), quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"]
COPY --from=build /dependencies /usr/local/lib/python${PYTHON}/dist-packages
COPY --from=build /code /usr/local/lib/python${PYTHON}/dist-packages
COPY --from=build /commands /usr/local/bin
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="certwright" \
    org.opencontainers.image.description="A Kubernetes operator that puts certificates into Secrets and keeps them valid" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="0.1.0"
WORKDIR /home/nonroot
USER 65532:65532
ENTRYPOINT ["certwright"]
