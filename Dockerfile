# syntax=docker/dockerfile:1
# The gateway as a small image. The configuration is mounted:
#
#   docker build -t framex-gateway .
#   docker run -p 8080:8080 -v ./my-gateway:/etc/framex-gateway:ro framex-gateway
#
# `my-gateway` is a folder as the README makes one: gateway.yaml, its keys, and namespaces/. (conf/ of this repository belongs to
# `make run`: its keys and services are made there.)
#
# In the configuration, listen on 0.0.0.0 (loopback is the container's own) and keep the admin listener on
# 127.0.0.1:9090 or set GATEWAY_ADMIN_ADDRESS, so that the health check finds it.

FROM rust:1.95-slim-bookworm AS build
# cmake and a C compiler build zlib-ng, the TLS library and the allocator.
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake g++ make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# What was downloaded and compiled stays in the builder's caches; only the program leaves them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p framex-gateway \
    && strip --strip-debug -o /framex-gateway target/release/framex-gateway

FROM debian:bookworm-slim
# The system's certificate authorities, for backends with TLS.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin framex
COPY --from=build /framex-gateway /usr/local/bin/framex-gateway
USER 10001:10001
# What the example configuration reads.
ENV GATEWAY_ADDRESS=0.0.0.0:8080 GATEWAY_ADMIN_ADDRESS=127.0.0.1:9090
EXPOSE 8080
# SIGTERM lets running requests end within `shutdown.grace` (30 s if nothing else is said): stop with a longer timeout.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 \
    CMD framex-gateway health --admin "$GATEWAY_ADMIN_ADDRESS"
ENTRYPOINT ["framex-gateway"]
CMD ["run", "--config", "/etc/framex-gateway/gateway.yaml"]
