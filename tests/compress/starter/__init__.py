"""Tests of the maker of the starter bundle."""
