"""What boto3 raises, told as a ``WorkError`` that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore import exceptions as boto

from work_core.errors import BackendError, BackendUnavailable, PayloadTooLarge

if TYPE_CHECKING:
    from work_core.errors import WorkError

_MISSING = frozenset({"QueueDoesNotExist", "NonExistentQueue", "QueueDeletedRecently"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "KmsAccessDenied", "OptInRequired"})
_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_BUSY = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "KmsThrottled",
        "OverLimit",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_SERVER_ERROR: Final = 500


class QueueMissing(BackendError):
    """The queue does not exist in this region and account."""


def is_denied(error: BackendError) -> bool:
    """Tell whether *error* says that the credentials lack a right."""
    cause = error.__cause__
    return isinstance(cause, boto.ClientError) and _code(cause) in _DENIED


def plain_code(code: str) -> str:
    """Return *code* without ``AWS.SimpleQueueService.`` before it."""
    return code.rpartition(".")[2]


def translate(error: Exception, operation: str, queue: str, place: str) -> WorkError:
    """Return the ``WorkError`` for *error* of *operation* on *queue*.

    *place* says which server it was, without credentials.
    """
    if isinstance(error, boto.ClientError):
        return _refusal(error, operation, queue, place)
    if isinstance(
        error,
        (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
    ):
        return BackendError(
            f"no usable AWS credentials for {place}: {error}; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, a profile, or a role of the machine"
        )
    if isinstance(error, (boto.HTTPClientError, boto.ConnectionError, OSError)):
        return BackendUnavailable(
            f"{operation} on {queue}: {place} cannot be reached ({error}); check the network, and "
            "the region if it has never worked"
        )
    return BackendError(f"{operation} on {queue} at {place} failed: {error}")


def _code(error: boto.ClientError) -> str:
    return plain_code(str(error.response.get("Error", {}).get("Code", "")))


def _refusal(error: boto.ClientError, operation: str, queue: str, place: str) -> WorkError:
    code = _code(error)
    said = error.response.get("Error", {}).get("Message", "") or code
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _MISSING:
        return QueueMissing(
            f"queue {queue} does not exist at {place}; check the region and the account, create "
            "the queue, or let it be created with create=1 in the URL"
        )
    if code in _CREDENTIALS:
        return BackendError(
            f"{place} refused the credentials for {operation}: {said} ({code}); check the access "
            "key, its secret and the region"
        )
    if code in _DENIED:
        return BackendError(
            f"the credentials may not do sqs:{operation} on {queue} at {place}: {said}; allow it "
            "in the IAM policy"
        )
    if code in _BUSY or status >= _SERVER_ERROR:
        return BackendUnavailable(f"{operation} on {queue} at {place}: {said} ({code or status})")
    if code in {"BatchRequestTooLong", "MessageTooLong"}:
        return PayloadTooLarge(f"{operation} on {queue}: {said}")
    return BackendError(f"{place} refused {operation} on {queue}: {said} ({code or status})")
