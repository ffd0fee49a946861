"""The gateway: who may ask for what, and the HAProxy configuration that holds them to it. Pure: values in, text out."""
