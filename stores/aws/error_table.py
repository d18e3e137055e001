"""What each error of boto3 and of AWS is here, and what its message says to do.

Codes are those of the services' API references, "Errors" and "Common Errors"; a test walks
botocore's classes and the services' models, so that none is missing.
"""

from collections.abc import Mapping

import botocore.exceptions as botocore
from botocore.parsers import ResponseParserError

from store_plugin.errors import (
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
BY_CODE: Mapping[str, Kind] = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
TEXT_IS_SAFE = (StoreDenied, LoginRefused, StoreQuota)

BY_CLASS: tuple[tuple[type[BaseException], Kind], ...] = (
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
_ENDED = "the session of these credentials has ended; renew them, or set the clock"
_KEY = "the KMS key cannot be used; let the identity use it (kms:Decrypt, kms:GenerateDataKey), and enable it"
HINTS: Mapping[str, str] = {
    "NoCredentialsError": "the default chain finds no credentials; set auth, or give the Pod an identity",
    "EndpointConnectionError": "nobody answers there; check region and endpoint",
    "ConnectTimeoutError": "nobody answers there; check region, endpoint and the network",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "RequestExpired": "the clock of this machine is wrong",
    "ExpiredToken": _ENDED,
    "ExpiredTokenException": _ENDED,
    "DecryptionFailure": _KEY,
    "EncryptionFailure": _KEY,
    "InvalidKeyId": _KEY,
    "KMSAccessDeniedException": _KEY,
    "InvalidRequestException": "the secret's state does not allow it; does another service of AWS manage it?",
    "InvalidSignatureException": "the secret access key or the clock of this machine is wrong",
    "SignatureDoesNotMatch": "the secret access key or the clock of this machine is wrong",
}
