FROM debian:bookworm-slim
RUN apt-get update -qq && mkdir -p /usr/share/man/man1 \
    && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless > /dev/null && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 1000 --home-dir /opt/kafka appuser && mkdir -p /opt/kafka/bin /var/lib/kafka/data && chown appuser /var/lib/kafka/data
COPY jars /opt/kafka/libs
COPY kafka.sh /opt/kafka/bin/start.sh
COPY kafka-probe.sh /opt/kafka/bin/kafka-broker-api-versions.sh
VOLUME /var/lib/kafka/data
USER appuser
EXPOSE 9092
CMD ["/opt/kafka/bin/start.sh"]
