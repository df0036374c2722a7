# syntax=docker/dockerfile:1
# An image for one machine: the program `drayage` with DuckDB. Build it in the repository's root, and run it on a folder that holds pipeline.yaml:
#   docker build -f deploy/duckdb.Dockerfile -t drayage .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" drayage run --pipeline pipeline.yaml
# For Cloud Run, without DuckDB, see Dockerfile.

FROM rust:1.91.1-slim-bookworm AS build
# npm downloads DuckDB's library.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends npm && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG COMMIT=
ENV DRAYAGE_COMMIT=${COMMIT} DRAYAGE_PORTABLE=1 CARGO_INCREMENTAL=0
# The program finds the library in ../lib. Links by the names of the three programs are those programs.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo xtask library \
    && cargo build --locked --profile production -p drayage --bin drayage \
    && install -D -t /out/bin target/production/drayage \
    && install -D -t /out/lib target/duckdb/libduckdb.so \
    && install -D -m 644 -t /out/share/licenses/drayage LICENSE-MIT LICENSE-APACHE target/duckdb/LICENSE \
    && for name in extract-job load-job orchestrator; do ln -s drayage "/out/bin/$name"; done \
    && install -d -o 65532 -g 65532 /out-data

# glibc, libgcc, libstdc++ and the roots of TLS; no shell. The same Debian as above, for the same glibc.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=unknown
LABEL org.opencontainers.image.title="Drayage with DuckDB" \
      org.opencontainers.image.description="Moves the data of REST APIs into a warehouse, on one machine" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/ /usr/local/
COPY --from=build --chown=65532:65532 /out-data /data
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["/usr/local/bin/drayage"]
CMD ["--help"]
