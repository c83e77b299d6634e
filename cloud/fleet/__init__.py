"""Enrolment, desired and reported state, the signed update repository."""
