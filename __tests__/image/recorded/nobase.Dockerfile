FROM 127.0.0.1:5000/nope/nope:1
RUN x
