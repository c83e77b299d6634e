"""Parts of the benchmark `worth`: films through a camera's pipeline, and how what is told is compared."""
