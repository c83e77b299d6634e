"""Picture sources: files, RTSP, webcams; time-outs, stall detection, reopening."""
