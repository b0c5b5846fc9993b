"""moto's server, with what AWS keeps to and moto does not.

Batches of Route 53 are made whole or not at all, nothing is created that is there, and only what is there just as it is
given is deleted. A condition on what a request does not have is not met. A web identity must be meant for the audience,
and be of the subject, that the role's trust policy names; moto takes any text for one.

It is run by an interpreter of its own, which has moto's packages and not ours.
"""

import base64
import json
import sys
import threading

from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.models import iam_backends
from moto.iam.policy_conditions import TrustCondition
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend
from moto.server import main
from moto.sts.exceptions import STSClientError
from moto.sts.responses import TokenResponse

_authenticate = ActionAuthenticatorMixin._authenticate_and_authorize_action
_assume = TokenResponse.assume_role_with_web_identity
_verify = TrustCondition.verify_condition
_one_batch = threading.Lock()


def change_resource_record_sets(self: Route53Backend, zoneid: str, change_list: list[dict]) -> None:
    zone = self.get_hosted_zone(zoneid)
    with _one_batch:
        sets = {(rrset.name, rrset.type): (int(rrset.ttl), list(rrset.records)) for rrset in zone.rrsets}
        faults = [fault for change in change_list if (fault := _apply(sets, zone.name, change))]
        if faults:
            raise Route53ClientError("InvalidChangeBatch", f"[{', '.join(faults)}]")
        for change in change_list:
            (zone.delete_rrset if change["Action"] == "DELETE" else zone.upsert_rrset)(change["ResourceRecordSet"])


def _apply(sets: dict, zone: str, change: dict) -> str | None:
    """Make a change, or say why it cannot be; brings the RRset into the form in which moto keeps it."""
    action, rrset = change["Action"], change["ResourceRecordSet"]
    rrset["Name"] = rrset["Name"].rstrip(".") + "."
    rrset["ResourceRecords"] = [record["Value"] for record in rrset["ResourceRecords"]]
    place, wanted = (rrset["Name"], rrset["Type"]), (int(rrset["TTL"]), sorted(rrset["ResourceRecords"]))
    what = f"resource record set [name='{rrset['Name']}', type='{rrset['Type']}']"
    have = sets.pop(place, None)
    if action != "DELETE":
        sets[place] = wanted
    if not f".{rrset['Name']}".endswith(f".{zone}"):
        return f"RRSet with DNS name {rrset['Name']} is not permitted in zone {zone}"
    if action == "CREATE" and have:
        return f"Tried to create {what} but it already exists"
    if action == "DELETE" and not have:
        return f"Tried to delete {what} but it was not found"
    if action == "DELETE" and (have[0], sorted(have[1])) != wanted:
        return f"Tried to delete {what} but the values provided do not match the current values"
    return None


def verify_condition(self: TrustCondition, actual_values: list[str]) -> bool:
    return len(actual_values) >= len(self.context_keys) and _verify(self, actual_values)


def authenticate(self: TokenResponse, *args: object) -> None:
    # The token is what tells who asks; there is no signature.
    if self._get_action() != "AssumeRoleWithWebIdentity":
        _authenticate(self, *args)


def assume_role_with_web_identity(self: TokenResponse) -> object:
    token, arn = self._get_param("WebIdentityToken"), self._get_param("RoleArn")
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    except (ValueError, IndexError):
        raise STSClientError("InvalidIdentityToken", "The ID Token provided is not a valid JWT.") from None
    role = iam_backends[self.current_account]["aws"].get_role_by_arn(arn)
    told = {"sub": [claims["sub"]], "aud": claims["aud"]}
    for statement in json.loads(role.assume_role_policy_document)["Statement"]:
        wanted = statement.get("Condition", {}).get("StringEquals", {})
        pairs = [(name.rpartition(":")[2], value) for name, value in wanted.items()]
        if statement["Action"] == "sts:AssumeRoleWithWebIdentity" and all(value in told[name] for name, value in pairs):
            return _assume(self)
    raise STSClientError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")


if __name__ == "__main__":
    Route53Backend.change_resource_record_sets = change_resource_record_sets
    TrustCondition.verify_condition = verify_condition
    ActionAuthenticatorMixin._authenticate_and_authorize_action = authenticate
    TokenResponse.assume_role_with_web_identity = assume_role_with_web_identity
    main(sys.argv[1:])
