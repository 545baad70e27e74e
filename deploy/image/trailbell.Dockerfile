# The binary and nothing else: no shell, no package to patch. Roots of trust and
# rules are inside the binary.
FROM scratch

COPY trailbell /trailbell

# The file sink writes here. A volume that is mounted over it takes its owner,
# so the directory has to be in the image.
COPY --chown=65532:65532 empty /alerts

# Where the AWS SDK looks for .aws; without a home it looks nowhere.
ENV HOME=/home/trailbell
COPY --chown=65532:65532 empty /home/trailbell

USER 65532:65532
ENTRYPOINT ["/trailbell"]
