"""Tests of what is proposed to be labelled next."""
