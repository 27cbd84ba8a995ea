# segda in a container, with the versions of constraints.txt.
#
# CPU:   docker build -t segda .
# CUDA:  docker build -t segda --build-arg BASE=nvidia/cuda:13.0.2-base-ubuntu24.04 --build-arg TORCH=https://pypi.org/simple .
# Run:   docker run --rm --gpus all --ipc host --user "$(id -u):$(id -g)" -v "$PWD:/job" -v ~/data:/data segda run streets
#
# Any base with apt and Python 3.10 or newer will do. PyTorch's wheels bring their own CUDA libraries; of the base only the
# driver's interface is needed. `--ipc host`: processes that load data hand batches over in shared memory.
ARG BASE=debian:trixie-slim
FROM ${BASE}
ARG TORCH=https://download.pytorch.org/whl/cpu
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/segda
ENV PATH=/opt/segda/bin:$PATH
WORKDIR /source
COPY constraints.txt .
# The large packages first, so that a change of the code does not install them again.
RUN pip install --no-cache-dir --index-url ${TORCH} $(grep -E '^torch(vision)?==' constraints.txt)
COPY setup.cfg pyproject.toml LICENSE segda_command.py ./
COPY docs/package_index.md docs/
COPY segda segda
COPY pipelines pipelines
COPY configs configs
ARG EXTRAS=parquet,video
RUN pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"
ENV SEGDA_DATA=/data XDG_CACHE_HOME=/tmp/cache HOME=/tmp
WORKDIR /job
ENTRYPOINT ["segda"]
CMD ["--help"]
