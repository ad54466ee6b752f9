"""Amazon SQS as a backend of ``work``; enable it with a URL like ``sqs://eu-west-1/``."""
