# The sidecar as an image: `make image` brings the wheels together and builds it.
#   BASE     any glibc system with the Python that requirements/ is locked for (3.11) and venv
#   VARIANT  a file of requirements/: all, aws or vault
# Nothing is downloaded here, so that what is built is what was locked.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ARG VARIANT=all
COPY build/wheels/ /wheels/
COPY requirements/ /requirements/
COPY tools/slim/ /build/tools/slim/
# One environment for pip, which stays behind, and one for the image.
RUN python3 -m venv /pip && python3 -m venv --without-pip /opt/store-plugin
RUN /pip/bin/pip --python /opt/store-plugin/bin/python install \
        --no-cache-dir --no-compile --no-index --find-links /wheels --no-deps \
        --require-hashes --requirement "/requirements/${VARIANT}.txt" \
 && /pip/bin/pip --python /opt/store-plugin/bin/python install \
        --no-cache-dir --no-compile --no-index --no-deps /wheels/store_plugin-*.whl \
 && PYTHONPATH=/build PYTHONDONTWRITEBYTECODE=1 /opt/store-plugin/bin/python -m tools.slim /additions

FROM ${BASE}
ARG VARIANT=all
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="store-plugin" \
      org.opencontainers.image.description="Sidecar that keeps a Kubernetes operator's secrets in Vault, AWS or any backend (${VARIANT})" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/store-plugin /opt/store-plugin
COPY --from=build /additions /
# No account of the base is needed, under any UID: HOME is for libraries that look into ~.
ENV PATH=/opt/store-plugin/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /
USER 65532:65532
EXPOSE 4040
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/store-plugin/bin/store-plugin"]
CMD ["serve"]
