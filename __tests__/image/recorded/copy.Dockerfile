FROM 127.0.0.1:5000/library/busybox:1
COPY missing.txt /x
