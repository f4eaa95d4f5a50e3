"""A bridge between an MQTT broker and a classifier: it reads texts from one topic and publishes entities on another."""
