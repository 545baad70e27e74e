# versitygw, an S3 server over a directory: for the demo, not for logs that
# matter.
FROM scratch

COPY versitygw /versitygw

# Each directory below is a bucket. A volume that is mounted over it takes its
# owner, so the directory has to be in the image.
COPY --chown=65532:65532 empty /buckets

USER 65532:65532
ENTRYPOINT ["/versitygw"]
CMD ["--quiet", "--port", ":7070", "posix", "/buckets"]
