"""Tests of the stores; `doubles` is for tests elsewhere too."""
