# The runner as an image: Debian, the PostgreSQL clients, Node.js, and of this project the run-time half alone.
#
#   docker buildx build --platform linux/arm64 -t provision .
#   docker run --read-only --tmpfs /scratch:uid=10001,gid=10001 -e PROVISION_JOB -e PROVISION_SECRET_appUrl provision backup
#
# It runs as 10001:10001 and needs no file that it may write but those in /scratch.

# Digests of the lists of all platforms. `docker buildx imagetools inspect debian:trixie-slim` tells what a tag stands for today.
ARG BASE_IMAGE=debian:trixie-slim@sha256:a29215f6a35e51e22adffa17f89e9d2ef06214e64a2bad10d765c46aea49f11f
# Only brings npm: nothing of it goes into the image.
ARG NPM_IMAGE=node:24.21.0-trixie-slim@sha256:8ec5d7557396cfe32d21c3f9c13072355ceab22b584578ca4bb28af31120cffe

# On the machine's own architecture, whatever the image's is: npm installs for another one as well.
FROM --platform=${BUILDPLATFORM} ${NPM_IMAGE} AS program
ARG TARGETARCH
WORKDIR /app
# The settings of npm are not in the package of this project, only in its repository.
COPY package.json package-lock.json .npmrc* ./
# Where a proxy with a certificate of its own stands before the npm registry: --secret id=ca,src=FILE.
RUN --mount=type=secret,id=ca \
    if [ -e /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi \
    && cpu=$(echo "$TARGETARCH" | sed s/amd64/x64/) \
    && npm ci --omit=dev --ignore-scripts --os=linux --cpu="$cpu" \
    # Node.js itself comes from npm too, in the version and with the checksum of the lock file.
    && mv "node_modules/node-linux-$cpu/bin/node" /node \
    && rm -r node_modules/node-linux-* node_modules/.bin \
    && find node_modules \( -name '*.d.ts' -o -name '*.map' \) -delete
COPY providers providers
COPY runner runner
# A checkout may have files that only its owner can read; what tells npm its registry may hold a token.
RUN rm -f .npmrc && chmod -R a+rX .

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="provision" \
      org.opencontainers.image.description="Scheduled, verified, restorable backups of PostgreSQL and Supabase"
# The clients come from apt.postgresql.org, one for each major version that it supports. 0 takes Debian's own instead, for
# places that do not reach that server.
ARG PGDG=1
# A server of the newest version, for drills of jobs that name none. Empty leaves it out.
ARG DRILL_SERVER=1
RUN set -eu; \
    export DEBIAN_FRONTEND=noninteractive; \
    add() { apt-get install -y --no-install-recommends "$@"; }; \
    apt-get update; \
    add age ca-certificates postgresql-client-common zstd; \
    # The server's package makes and starts no cluster.
    mkdir -p /etc/postgresql-common/createcluster.d; \
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/none.conf; \
    if [ "$PGDG" = 1 ]; then \
      printf '%s\n' \
        'Types: deb' \
        'URIs: https://apt.postgresql.org/pub/repos/apt' \
        "Suites: $(. /etc/os-release && echo "$VERSION_CODENAME")-pgdg" \
        'Components: main' \
        'Signed-By: /usr/share/postgresql-common/pgdg/apt.postgresql.org.asc' \
        >/etc/apt/sources.list.d/pgdg.sources; \
      apt-get update; \
      add postgresql-client-15 postgresql-client-16 postgresql-client-17 postgresql-client-18 ${DRILL_SERVER:+postgresql-18}; \
    else \
      add postgresql-client ${DRILL_SERVER:+postgresql}; \
    fi; \
    # Only the server's just-in-time compiler needs LLVM, a third of the image, and drills run without it.
    dpkg-query --show --showformat='${Package}\n' 'libllvm*' 'libz3-*' 2>/dev/null \
      | xargs --no-run-if-empty dpkg --purge --force-depends; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log; \
    groupadd --gid 10001 provision; \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /scratch --shell /usr/sbin/nologin provision; \
    # The server of a drill runs as this user, who can read nothing of the runner's. Its copy of setpriv has its set-user-ID bit, and not
    # root's: the runner can become that user with it and no other, without any capability.
    groupadd --gid 10002 provision-drill; \
    useradd --uid 10002 --gid 10002 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin provision-drill; \
    install -D -o 10002 -g 10002 -m 6711 "$(command -v setpriv)" /usr/local/libexec/provision-drill; \
    # A volume takes over owner and mode of the folder that it is mounted on.
    install -d -o 10001 -g 10001 -m 0711 /scratch
COPY --from=program /node /usr/local/bin/node
COPY --from=program /app /app
# Compiles the program now, as the user and with the Node.js that will run it, since it may write nothing here later.
RUN install -d -o 10001 -g 10001 /app/node_modules/.cache/compile \
    && setpriv --reuid=10001 --regid=10001 --clear-groups \
      node --import /app/runner/compile.js /app/runner/cli.js --help >/dev/null \
    && chown -R 0:0 /app/node_modules/.cache \
    && chmod -R a+rX /app/node_modules/.cache
USER 10001:10001
ENV HOME=/scratch TMPDIR=/scratch
WORKDIR /scratch
VOLUME /scratch
# No shell stands between: the signal to stop reaches the runner.
ENTRYPOINT ["/usr/local/bin/node", "/app/runner/cli.js"]
