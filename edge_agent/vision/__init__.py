"""Pure numpy on pictures and boxes: letterbox, decode, NMS."""
