FROM 127.0.0.1:5000/library/busybox:1 AS a
RUN <<EOT
echo one
false
EOT
