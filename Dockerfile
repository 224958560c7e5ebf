# docker build -t winnow:0.2.0 .
# docker run --rm -v winnow-cache:/cache -v "$PWD:/data" winnow:0.2.0 curate --input crawl/ --output curated
# EXTRAS: of pyproject.toml (`s3`, `huggingface`, `s3,dask`). KERNELS=1 compiles kernels into the image; they are those of the
# processor that builds it, and a run on another kind compiles its own into /cache.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ARG EXTRAS=s3
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/winnow
COPY pyproject.toml MANIFEST.in README.md LICENSE CHANGELOG.md SECURITY.md constraints.txt ./
COPY filters filters
COPY pipeline pipeline
COPY flows flows
COPY winnow.py ./
COPY sample_data sample_data
RUN /opt/winnow/bin/pip install -q -c constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON}-slim
ARG KERNELS=0
RUN useradd --uid 10001 --create-home winnow && install -d -o winnow -g winnow /cache /data
COPY --from=build /opt/winnow /opt/winnow
ENV PATH=/opt/winnow/bin:$PATH XDG_CACHE_HOME=/cache
USER 10001:10001
RUN if [ "$KERNELS" = 1 ]; then python -c "from filters.kernels import warm; warm.warm()"; fi
VOLUME /cache
WORKDIR /data
ENTRYPOINT ["winnow"]
