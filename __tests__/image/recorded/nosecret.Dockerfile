FROM 127.0.0.1:5000/library/busybox:1
RUN --mount=type=secret,id=tok,required=true cat /run/secrets/tok
