# nats-server, built static out of the version that go.mod names.
FROM scratch

COPY nats-server /nats-server

# The store. A volume that is mounted over it takes its owner, so the directory
# has to be in the image.
COPY --chown=65532:65532 empty /data

USER 65532:65532
ENTRYPOINT ["/nats-server"]
CMD ["--config", "/etc/nats.conf"]
