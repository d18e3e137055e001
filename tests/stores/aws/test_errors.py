"""Whatever goes wrong below has one error of ours, chosen on purpose."""

from collections.abc import Iterator

import botocore.exceptions
import botocore.session
import pytest
from botocore.parsers import ResponseParserError

from store_plugin.errors import (
    Bug,
    ConfigInvalid,
    Conflict,
    DeadlineExceeded,
    InvalidRequest,
    LoginRefused,
    StoreDenied,
    StorePluginError,
    StoreQuota,
    StoreUnavailable,
    Throttled,
)
from stores.aws import errors

WHERE = "AWSConfig/test: GetSecretValue team/db"
OPERATIONS = {
    "secretsmanager": """CreateSecret GetSecretValue DescribeSecret PutSecretValue UpdateSecretVersionStage
        RestoreSecret DeleteSecret TagResource UntagResource ListSecrets ReplicateSecretToRegions
        RemoveRegionsFromReplication""",
    "ssm": """GetParameter GetParameters PutParameter DeleteParameter DescribeParameters ListTagsForResource
        AddTagsToResource RemoveTagsFromResource""",
    "sts": "AssumeRole AssumeRoleWithWebIdentity",
}

# Errors of things that are not used here: streams, waiters, pages, S3, stubs, wrong calls.
OURS_ONLY_BY_A_BUG = frozenset(
    """
    DataNotFoundError UnknownServiceError ApiVersionNotFoundError UnknownSignatureVersionError
    MissingParametersError ValidationError UnknownKeyError RangeError UnknownParameterError
    AliasConflictParameterError ParamValidationError UnknownServiceStyle PaginationError
    OperationNotPageableError UnseekableStreamError WaiterError InvalidExpressionError WaiterConfigError
    UnknownClientMethodError UnsupportedSignatureVersionError InvalidDNSNameError
    InvalidS3AddressingStyleError UnsupportedS3ArnError UnsupportedS3ControlArnError
    UnsupportedOutpostResourceError UnsupportedS3ConfigurationError
    UnsupportedS3AccesspointConfigurationError UnsupportedS3ControlConfigurationError
    InvalidS3UsEast1RegionalEndpointConfigError StubResponseError StubAssertionError
    UnStubbedResponseError MD5UnavailableError AwsChunkedWrapperError UnsupportedServiceProtocolsError
    BotoCoreError
""".split()  # noqa: SIM905
)


def subclasses(base: type[BaseException]) -> Iterator[type[BaseException]]:
    yield base
    for child in base.__subclasses__():
        if child.__module__ == botocore.exceptions.__name__:
            yield from subclasses(child)


def made(theirs: type[BaseException]) -> BaseException:
    """An instance whose text would give a secret away."""
    error = theirs.__new__(theirs)
    error.args = ("canary",)
    return error


@pytest.mark.parametrize("theirs", list(dict.fromkeys(subclasses(botocore.exceptions.BotoCoreError))))
def test_every_error_of_botocore_is_translated(theirs: type[BaseException]) -> None:
    translated = errors.from_exception(made(theirs), WHERE)
    assert isinstance(translated, Bug) == (theirs.__name__ in OURS_ONLY_BY_A_BUG)
    assert "canary" not in translated.message
    assert translated.message.startswith(WHERE)


def shapes() -> set[str]:
    """Codes of all errors that the operations used here declare, by botocore's own models."""
    found = set()
    session = botocore.session.get_session()
    for service, operations in OPERATIONS.items():
        model = session.get_service_model(service)
        for operation in operations.split():
            for shape in model.operation_model(operation).error_shapes:
                found |= {shape.name, shape.metadata.get("error", {}).get("code", shape.name)}
    for service in ("secretsmanager", "sts"):
        for shape in session.get_service_model(service).error_shapes:
            found |= {shape.name, shape.metadata.get("error", {}).get("code", shape.name)}
    return found


@pytest.mark.parametrize("code", sorted(shapes()))
def test_every_error_shape_of_the_services_is_mapped(code: str) -> None:
    assert errors.is_mapped(code)


def answered(
    code: str, status: int = 400, message: str = "canary", operation: str = "GetSecretValue"
) -> Exception:
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }
    error: Exception = botocore.exceptions.ClientError(answer, operation)
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDeniedException", StoreDenied),
        ("DecryptionFailure", StoreDenied),
        ("InvalidKeyId", StoreDenied),
        ("UnrecognizedClientException", LoginRefused),
        ("ExpiredTokenException", LoginRefused),
        ("InvalidSignatureException", LoginRefused),
        ("RequestTimeTooSkewed", LoginRefused),
        ("ThrottlingException", Throttled),
        ("LimitExceededException", StoreQuota),
        ("InternalServiceError", StoreUnavailable),
        ("ResourceExistsException", Conflict),
        ("InvalidParameterException", InvalidRequest),
        ("UnknownOperationException", ConfigInvalid),
        ("com.amazonaws.secretsmanager#ThrottlingException", Throttled),
    ],
)
def test_codes(code: str, kind: type[StorePluginError]) -> None:
    error = errors.from_exception(answered(code), WHERE)
    assert type(error) is kind
    assert bool(error.retry_after) == (kind in (Throttled, StoreUnavailable))


@pytest.mark.parametrize("status", range(300, 600))
def test_every_status_has_an_error_of_the_tree(status: int) -> None:
    """Of answers whose code nobody knows, or that have none: a proxy's."""
    for code in ("", "Unheard", str(status)):
        assert not isinstance(errors.from_exception(answered(code, status), WHERE), Bug)


@pytest.mark.parametrize(
    "code", ["AccessDenied", "InvalidIdentityToken", "MalformedPolicyDocument", "ValidationError"]
)
def test_what_refuses_a_role_refuses_the_login(code: str) -> None:
    error = errors.from_exception(answered(code, operation="AssumeRole"), WHERE)
    assert type(error) is LoginRefused
    assert "AssumeRole" in error.message


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure"])
def test_a_login_that_cannot_be_had_just_now_is_not_refused(code: str) -> None:
    assert type(errors.from_exception(answered(code, operation="AssumeRole"), WHERE)) is not LoginRefused


@pytest.mark.parametrize(
    "code",
    [
        "ValidationException",
        "InvalidParameterException",
        "InvalidRequestException",
        "Unheard",
        "InternalFailure",
    ],
)
def test_texts_that_could_quote_a_value_are_left_out(code: str) -> None:
    assert "canary" not in errors.from_exception(answered(code), WHERE).message


def test_who_is_not_allowed_what_is_told_on_one_line() -> None:
    text = "User: arn:aws:iam::1:user/u is not authorized to perform: secretsmanager:GetSecretValue\n\x1b[31m"
    error = errors.from_exception(answered("AccessDeniedException", message=text), WHERE)
    assert error.message == f"{WHERE}: AccessDeniedException: {text[:-6]} [31m"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), DeadlineExceeded),
        (ConnectionResetError(104, "canary"), StoreUnavailable),
        (ResponseParserError("canary"), StoreUnavailable),
        (KeyError("canary"), Bug),
        (StoreDenied("ours"), StoreDenied),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_other_errors_are_translated(error: Exception, kind: type[StorePluginError]) -> None:
    translated = errors.from_exception(error, WHERE)
    assert type(translated) is kind
    assert "canary" not in translated.message


@pytest.mark.parametrize("code", ["NoCredentialsError", "EndpointConnectionError"])
def test_what_people_get_wrong_is_told_with_what_to_do(code: str) -> None:
    error = errors.from_exception(made(getattr(botocore.exceptions, code)), WHERE)
    assert "set auth" in error.message or "check region" in error.message
