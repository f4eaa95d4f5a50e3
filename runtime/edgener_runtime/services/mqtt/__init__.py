"""A bridge between a broker and a classifier: texts come on one MQTT topic, entities go out on another."""
