"""work_sqs."""
