"""The one place where what goes wrong in boto3 and in AWS becomes an error of ours.

Codes are those of the services' API references, "Errors" and "Common Errors". Messages
carry the API operation, the secret's name and AWS's code. AWS's own text is shown only
where it is about identities, keys and quotas: those about the request may quote a value.
"""

import re
from collections.abc import Mapping

import botocore.exceptions as botocore
from botocore.parsers import ResponseParserError

from store_plugin.errors import (
    Bug,
    ConfigInvalid,
    Conflict,
    DeadlineExceeded,
    InvalidRequest,
    LoginRefused,
    NameNotSupported,
    StoreDenied,
    StorePluginError,
    StoreQuota,
    StoreUnavailable,
    Throttled,
    TooLarge,
    VersionNotFound,
)

_LONGEST_TEXT = 300
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_LOGIN_OPERATIONS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"})

Kind = type[StorePluginError]

_CODES: Mapping[Kind, str] = {
    StoreDenied: """
        AccessDenied AccessDeniedException NotAuthorized UnauthorizedOperation AuthorizationError
        DecryptionFailure EncryptionFailure KMSAccessDeniedException InvalidKeyId PublicPolicyException""",
    LoginRefused: """
        UnrecognizedClientException InvalidClientTokenId InvalidAccessKeyId AuthFailure SignatureDoesNotMatch
        InvalidSignatureException IncompleteSignature IncompleteSignatureException MissingAuthenticationToken
        MissingAuthenticationTokenException ExpiredToken ExpiredTokenException ExpiredTradeInTokenException
        RequestExpired RequestTimeTooSkewed OptInRequired NotSignedUp SubscriptionRequiredException
        RegionDisabledException IDPRejectedClaim IDPRejectedClaimException InvalidIdentityToken
        InvalidIdentityTokenException PackedPolicyTooLarge PackedPolicyTooLargeException
        SessionDurationEscalationException JWTPayloadSizeExceededException
        OutboundWebIdentityFederationDisabledException InvalidAuthorizationMessageException""",
    Throttled: """
        Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException
        TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded LimitExceeded SlowDown
        PriorRequestNotComplete EC2ThrottledException TransactionInProgressException""",
    StoreQuota: """
        LimitExceededException ParameterLimitExceeded ParameterMaxVersionLimitExceeded TooManyTagsError
        PoliciesLimitExceededException""",
    StoreUnavailable: """
        InternalFailure InternalError InternalServiceError InternalServerError ServiceUnavailable
        ServiceUnavailableException RequestTimeout RequestTimeoutException IDPCommunicationError
        IDPCommunicationErrorException 500 502 503 504""",
    Conflict: "ResourceExistsException ParameterAlreadyExists TooManyUpdates",
    VersionNotFound: "ParameterVersionNotFound",
    NameNotSupported: "HierarchyLevelLimitExceededException",
    InvalidRequest: """
        InvalidParameterException InvalidRequestException InvalidParameterValue InvalidParameterCombination
        MissingParameter MalformedQueryString InvalidQueryParameter ValidationError ValidationException
        ResourceNotFoundException ParameterNotFound InvalidNextTokenException InvalidNextToken
        InvalidResourceId InvalidResourceType InvalidFilterKey InvalidFilterOption InvalidFilterValue
        HierarchyTypeMismatchException InvalidAllowedPatternException ParameterPatternMismatchException
        UnsupportedParameterType InvalidPolicyTypeException InvalidPolicyAttributeException
        IncompatiblePolicyException PreconditionNotMetException""",
    ConfigInvalid: """
        MalformedPolicyDocument MalformedPolicyDocumentException UnknownOperationException InvalidAction
        NotImplemented""",
    TooLarge: "RequestEntityTooLargeException",
}
_BY_CODE: Mapping[str, Kind] = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
_TEXT_IS_SAFE = (StoreDenied, LoginRefused, StoreQuota)

_BY_CLASS: tuple[tuple[type[BaseException], Kind], ...] = (
    (botocore.ReadTimeoutError, DeadlineExceeded),
    (botocore.HTTPClientError, StoreUnavailable),
    (botocore.ConnectionError, StoreUnavailable),
    (botocore.IncompleteReadError, StoreUnavailable),
    (botocore.ChecksumError, StoreUnavailable),
    (botocore.FlexibleChecksumError, StoreUnavailable),
    (botocore.MetadataRetrievalError, StoreUnavailable),
    (botocore.CapacityNotAvailableError, Throttled),
    (botocore.EventStreamError, StoreUnavailable),
    (ResponseParserError, StoreUnavailable),
    (botocore.CredentialRetrievalError, LoginRefused),
    (botocore.TokenRetrievalError, LoginRefused),
    (botocore.SSOError, LoginRefused),
    (botocore.LoginError, LoginRefused),
    (botocore.RefreshWithMFAUnsupportedError, LoginRefused),
    (botocore.NoCredentialsError, ConfigInvalid),
    (botocore.NoAuthTokenError, ConfigInvalid),
    (botocore.PartialCredentialsError, ConfigInvalid),
    (botocore.UnknownCredentialError, ConfigInvalid),
    (botocore.UnknownTokenProviderError, ConfigInvalid),
    (botocore.InvalidConfigError, ConfigInvalid),
    (botocore.ProfileNotFound, ConfigInvalid),
    (botocore.ConfigParseError, ConfigInvalid),
    (botocore.ConfigNotFound, ConfigInvalid),
    (botocore.InvalidIMDSEndpointError, ConfigInvalid),
    (botocore.InvalidIMDSEndpointModeError, ConfigInvalid),
    (botocore.BaseEndpointResolverError, ConfigInvalid),
    (botocore.EndpointProviderError, ConfigInvalid),
    (botocore.InvalidEndpointConfigurationError, ConfigInvalid),
    (botocore.InvalidHostLabelError, ConfigInvalid),
    (botocore.InvalidRegionError, ConfigInvalid),
    (botocore.UnknownRegionError, ConfigInvalid),
    (botocore.ServiceNotInRegionError, ConfigInvalid),
    (botocore.InvalidRetryConfigurationError, ConfigInvalid),
    (botocore.InvalidSTSRegionalEndpointsConfigError, ConfigInvalid),
    (botocore.InvalidProxiesConfigError, ConfigInvalid),
    (botocore.InvalidDefaultsMode, ConfigInvalid),
    (botocore.InvalidChecksumConfigError, ConfigInvalid),
    (botocore.InvalidEndpointDiscoveryConfigurationError, ConfigInvalid),
    (botocore.MissingDependencyException, ConfigInvalid),
    (TimeoutError, DeadlineExceeded),
    (OSError, StoreUnavailable),
)
_HINTS: Mapping[str, str] = {
    "NoCredentialsError": "the default chain finds no credentials; set auth, or give the Pod an identity",
    "EndpointConnectionError": "nobody answers there; check region and endpoint",
    "ConnectTimeoutError": "nobody answers there; check region, endpoint and the network",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "InvalidSignatureException": "the secret access key or the clock of this machine is wrong",
    "SignatureDoesNotMatch": "the secret access key or the clock of this machine is wrong",
}


class Refused(Exception):
    """AWS answered with a code that the caller expects. Never leaves this package."""

    def __init__(self, code: str, error: StorePluginError) -> None:
        super().__init__(code)
        self.code = code
        self.error = error
        """What it is where it means nothing special."""


def from_exception(error: BaseException, where: str) -> StorePluginError:
    """The error for what boto3 raised. Raise it `from None`: theirs may quote a request."""
    if isinstance(error, StorePluginError):
        return error
    if isinstance(error, botocore.ClientError):
        return _from_answer(error, where)
    ours = next((ours for theirs, ours in _BY_CLASS if isinstance(error, theirs)), Bug)
    name = type(error).__name__
    return _made(ours, f"{where}: {name}{_said(_HINTS.get(name, ''))}")


def changed(full: str) -> Conflict:
    """What a writer is told who was not the first; `full` is the secret's name in AWS."""
    return Conflict(f"secret {full} has changed since it was read")


def code_of(error: BaseException) -> str:
    """AWS's code for an error that it answered; empty for others."""
    if not isinstance(error, botocore.ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", "")).rpartition("#")[2]


def is_mapped(code: str) -> bool:
    """Whether somebody thought about what a code of AWS means."""
    return code in _BY_CODE


def _from_answer(error: botocore.ClientError, where: str) -> StorePluginError:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    kind = _BY_CODE.get(code) or _by_status(status)
    if error.operation_name in _LOGIN_OPERATIONS:
        where, kind = f"{where}: {error.operation_name}", _of_login(kind)
    text = str(error.response.get("Error", {}).get("Message", ""))
    # Before its text, for whom it is cut off: what to do.
    parts = [_HINTS.get(code, ""), text if issubclass(kind, _TEXT_IS_SAFE) else ""]
    return _made(kind, f"{where}: {code or status}{''.join(map(_said, parts))}")


def _by_status(status: int) -> Kind:
    if status == 429:
        return Throttled
    if status in (401, 403):
        return StoreDenied
    return InvalidRequest if 400 <= status < 500 else StoreUnavailable


def _of_login(kind: Kind) -> Kind:
    """Whatever says no to a login refuses the credentials."""
    return LoginRefused if issubclass(kind, StoreDenied | InvalidRequest | ConfigInvalid) else kind


def _made(kind: Kind, message: str) -> StorePluginError:
    return kind(message, retry_after=1.0 if issubclass(kind, StoreUnavailable | Throttled) else None)


def _said(text: str) -> str:
    """A text as part of a message: short and on one line."""
    plain = _UNPRINTABLE.sub(" ", text).strip()
    short = plain if len(plain) <= _LONGEST_TEXT else plain[: _LONGEST_TEXT - 3] + "..."
    return f": {short}" if short else ""
