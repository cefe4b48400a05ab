FROM debian:bookworm-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends rabbitmq-server > /dev/null && rm -rf /var/lib/apt/lists/*
COPY deploy/docker/standins/rabbitmq.sh /usr/local/bin/docker-entrypoint.sh
EXPOSE 5672
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["rabbitmq-server"]
