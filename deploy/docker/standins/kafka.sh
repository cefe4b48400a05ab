#!/bin/bash
# /mnt/shared/config/server.properties, as the official image takes it.
set -eu
config=/mnt/shared/config/server.properties
[ -f /var/lib/kafka/data/meta.properties ] ||
    java -cp '/opt/kafka/libs/*' kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg -c $config > /dev/null
printf 'log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=%%d %%p %%m%%n\n' > /tmp/log4j.properties
exec java -Xms256m -Xmx512m -XX:+UseSerialGC -Dlog4j.configuration=file:/tmp/log4j.properties -cp '/opt/kafka/libs/*' kafka.Kafka $config
