"""Tests of what is seen in whole videos."""
