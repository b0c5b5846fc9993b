"""Route 53 and STS against moto's server, which checks signatures, policies and trust, and a real cluster's tokens."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from certwright.errors import InvalidSpec, Terminal
from certwright.issuers.places import Places
from certwright.kube.client import Kube
from certwright.providers import aws_ambient, conditional, registry
from certwright.providers.api import Endpoint
from certwright.providers.aws_api import AwsApi, each, text
from certwright.providers.aws_login import Keys, Signature
from certwright.providers.base import NOBODY, Identity, Provider
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.providers.guard import Guard, set_standing, standing
from certwright.resources.issuer import parse_issuer
from certwright.resources.names import Names
from certwright.resources.reading import Fields
from cluster.environment import Environment
from cluster.moto import Moto
from unit.providers import other_process

pytestmark = pytest.mark.cluster

ACCOUNT = "123456789012"
ZONE, SUBZONE = "example.com.", "sub.example.com."
NAME = "_acme-challenge.www.example.com."
XMLNS = "https://route53.amazonaws.com/doc/2013-04-01/"
DNS_RIGHTS = [
    "route53:ListHostedZonesByName",
    "route53:ListResourceRecordSets",
    "route53:ChangeResourceRecordSets",
]


class Aws:
    """The account of the tests, with what a person would make in it."""

    def __init__(self, moto: Moto) -> None:
        self.moto = moto
        self.keys = Keys("AKIATHEFIRST", "nobody looks at it yet")
        self.zones = {zone: self._zone(zone) for zone in (ZONE, SUBZONE)}
        self.keys = self.user("owner", ["*"])
        moto.check_callers()

    def api(self, service: str) -> AwsApi:
        login = Signature(lambda: self.keys, service=service, region="us-east-1")
        return AwsApi(Endpoint("moto", self.moto.url, "all", url_field="moto", login=login))

    def iam(self, action: str, **fields: str) -> Any:
        return self.api("iam").form({"Action": action, "Version": "2010-05-08", **fields})

    def user(self, name: str, actions: list[str]) -> Keys:
        self.iam("CreateUser", UserName=name)
        self.iam("PutUserPolicy", UserName=name, PolicyName="it", PolicyDocument=_policy(actions))
        (key,) = each(self.iam("CreateAccessKey", UserName=name), "AccessKey")
        return Keys(text(key, "AccessKeyId"), text(key, "SecretAccessKey"))

    def role(self, name: str, actions: list[str], trust: dict[str, Any]) -> str:
        document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **trust}]})
        self.iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=document)
        self.iam("PutRolePolicy", RoleName=name, PolicyName="it", PolicyDocument=_policy(actions))
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"

    def _zone(self, name: str) -> str:
        kind = "CreateHostedZoneRequest"
        told = f"<Name>{name}</Name><CallerReference>{secrets.token_hex(4)}</CallerReference>"
        content = f'<{kind} xmlns="{XMLNS}">{told}</{kind}>'
        reply = self.api("route53").send(
            "POST", "/2013-04-01/hostedzone", body=content.encode(), headers={"Content-Type": "text/xml"}
        )
        return reply.headers["Location"].rpartition("/")[2]

    def sets(self, name: str) -> list[Any]:
        zone = max((zone for zone in self.zones if f".{name}".endswith(f".{zone}")), key=len)
        page = self.api("route53").xml(
            f"/2013-04-01/hostedzone/{self.zones[zone]}/rrset", {"name": name, "type": "TXT"}
        )
        found = each(page, "ResourceRecordSet")
        return [rrset for rrset in found if (text(rrset, "Name"), text(rrset, "Type")) == (name, "TXT")]

    def txt(self, name: str) -> list[str]:
        forms = [text(record, "Value") for rrset in self.sets(name) for record in each(rrset, "ResourceRecord")]
        assert all(form.startswith('"') and form.endswith('"') for form in forms)
        return [form[1:-1].replace('" "', "").replace('\\"', '"').replace("\\\\", "\\") for form in forms]


def _policy(actions: list[str]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    before = standing()
    set_standing(Guard(allow_loopback=True))
    with Moto(tmp_path_factory.mktemp("moto")) as moto, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", moto.url)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield Aws(moto)
    set_standing(before)


@pytest.fixture(scope="module")
def solver(aws: Aws) -> Keys:
    """A user with the rights of the documentation and no more."""
    return aws.user("solver", DNS_RIGHTS)


def build(config: dict[str, Any], secret: str = "", identity: Identity = NOBODY) -> Provider:
    _, provider = registry.build(Fields({"route53": config}, "dns01"), lambda _name, _key: secret.encode(), identity)
    return provider


def config_of(keys: Keys) -> dict[str, Any]:
    return {"accessKeyID": keys.access_key, "secretAccessKeySecretRef": {"name": "aws", "key": "secret"}}


def by_keys(keys: Keys, **config: Any) -> Provider:
    return build({**config_of(keys), **config}, keys.secret_key)


def put(aws: Aws, name: str, value: str) -> None:
    """Add a value as a person would: by reading the set and writing it back."""
    by_keys(aws.keys).add_txt(ZONE, name, value)


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(aws: Aws, solver: Keys, check: Check) -> None:
    check.run(
        Subject(
            make=lambda: by_keys(solver),
            read_txt=aws.txt,
            zone=ZONE,
            subzone=SUBZONE,
            expired=lambda: by_keys(Keys("AKIAGONE", "gone-gone-gone")),
            credentials=(solver.secret_key, "gone-gone-gone"),
            stranger=lambda name, value: put(aws, name, value),
            elsewhere=other_process.of_config({"route53": config_of(solver)}, solver.secret_key),
        )
    )


def test_changes_of_several_processes_all_take_effect(aws: Aws, solver: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the lock that keeps threads apart they are as processes to each other.
    monkeypatch.setattr(conditional, "one_at_a_time", lambda *_: nullcontext())
    monkeypatch.setattr(conditional, "ATTEMPTS", 50)
    values = [f"{number}-{VALUES[0]}" for number in range(6)]
    put(aws, NAME, "of a person")
    with ThreadPoolExecutor(len(values)) as pool:
        list(pool.map(lambda value: by_keys(solver).add_txt(ZONE, NAME, value), values))
    assert sorted(aws.txt(NAME)) == sorted([*values, "of a person"])
    with ThreadPoolExecutor(len(values)) as pool:
        list(pool.map(lambda value: by_keys(solver).remove_txt(ZONE, NAME, value), values))
    assert aws.txt(NAME) == ["of a person"]
    by_keys(aws.keys).remove_txt(ZONE, NAME, "of a person")


def test_a_signature_by_another_key_is_refused(solver: Keys) -> None:
    with pytest.raises(Terminal, match="answers 403: SignatureDoesNotMatch") as caught:
        by_keys(Keys(solver.access_key, "not-the-secret")).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "CredentialsRefused"


def test_a_right_that_lacks_is_named(aws: Aws) -> None:
    reader = aws.user("reader", DNS_RIGHTS[:2])
    assert by_keys(reader).find_zone(NAME) == ZONE
    with pytest.raises(
        Terminal, match=r"AccessDenied.* allow the credentials .*route53:ChangeResourceRecordSets"
    ) as caught:
        by_keys(reader).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "NotAllowed"


def test_a_zone_by_its_id(aws: Aws) -> None:
    narrow = aws.user("narrow", DNS_RIGHTS[1:])
    with pytest.raises(Terminal, match="AccessDenied"):
        by_keys(narrow).find_zone(NAME)
    provider = by_keys(narrow, hostedZoneID=aws.zones[ZONE])
    assert provider.find_zone(NAME) == ZONE
    provider.add_txt(ZONE, NAME, VALUES[0])
    assert aws.txt(NAME) == [VALUES[0]]
    provider.remove_txt(ZONE, NAME, VALUES[0])
    assert aws.txt(NAME) == []


def test_a_role_is_assumed_with_its_external_id(aws: Aws) -> None:
    keys = aws.user("assumer", ["sts:AssumeRole"])
    trust = {
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/assumer"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "team blue/7"}},
    }
    role = aws.role("dns-assumed", DNS_RIGHTS, trust)
    with pytest.raises(Terminal, match="AccessDenied"):
        by_keys(keys).add_txt(ZONE, NAME, VALUES[0])
    for wrong in ({}, {"externalID": "other"}):
        with pytest.raises(Terminal, match=rf"AWS STS answers 403: AccessDenied.*to assume the role {role}") as caught:
            by_keys(keys, role=role, **wrong).add_txt(ZONE, NAME, VALUES[0])
        assert keys.secret_key not in caught.value.message
    provider = by_keys(keys, role=role, externalID="team blue/7")
    provider.add_txt(ZONE, NAME, VALUES[0])
    assert aws.txt(NAME) == [VALUES[0]]
    provider.remove_txt(ZONE, NAME, VALUES[0])


def _trusting(subject: str) -> dict[str, Any]:
    wanted = {"cluster.example:sub": subject, "cluster.example:aud": "sts.amazonaws.com"}
    return {
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/cluster.example"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": wanted},
    }


@pytest.fixture
def places(env: Environment) -> Iterator[Places]:
    client = Kube(kubeconfig=str(env.kubeconfig), names=Names(), user_agent="route53-test")
    yield Places(client, "certwright")
    client.close()


def identity_of(places: Places, namespace: str) -> Identity:
    meta = {"name": "le", "namespace": namespace}
    return places.identity(parse_issuer({"kind": "Issuer", "metadata": meta, "spec": {"selfSigned": {}}}))


def test_a_service_accounts_token_is_exchanged_for_a_role(
    aws: Aws, env: Environment, namespace: str, places: Places
) -> None:
    env.kubectl("create", "serviceaccount", "solver", "-n", namespace)
    role = aws.role("dns-of-account", DNS_RIGHTS, _trusting(f"system:serviceaccount:{namespace}:solver"))

    def provider(name: str, *audiences: str) -> Provider:
        reference = {"name": name, "audiences": list(audiences)}
        config = {"role": role, "auth": {"kubernetes": {"serviceAccountRef": reference}}}
        return build(config, identity=identity_of(places, namespace))

    provider("solver").add_txt(ZONE, NAME, VALUES[0])
    assert aws.txt(NAME) == [VALUES[0]]
    provider("solver", "sts.amazonaws.com").remove_txt(ZONE, NAME, VALUES[0])
    assert aws.txt(NAME) == []
    with pytest.raises(Terminal, match=r"AccessDenied.*serviceAccountRef: ServiceAccount solver.*trust policy"):
        provider("solver", "somebody-else").add_txt(ZONE, NAME, VALUES[0])
    with pytest.raises(InvalidSpec, match=f"no ServiceAccount absent in namespace {namespace}; create it"):
        provider("absent").add_txt(ZONE, NAME, VALUES[0])
    env.kubectl("create", "serviceaccount", "other", "-n", namespace)
    with pytest.raises(Terminal, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
        provider("other").add_txt(ZONE, NAME, VALUES[0])


def test_an_issuer_gets_tokens_of_its_own_namespace_only(env: Environment, namespace: str, places: Places) -> None:
    env.kubectl("create", "serviceaccount", "mine", "-n", namespace)
    make = identity_of(places, namespace).tokens("mine", ["sts.amazonaws.com"])
    assert make().count(".") == 2
    for name in ("../../kube-system/serviceaccounts/default", "default/token", "Default"):
        with pytest.raises(InvalidSpec, match="cannot be the name of an object"):
            identity_of(places, namespace).tokens(name, ["x"])()


@pytest.fixture
def _own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(name, raising=False)
    aws_ambient.operators_keys.cache_clear()
    yield
    aws_ambient.operators_keys.cache_clear()


@pytest.mark.usefixtures("_own")
def test_the_operators_own_web_identity(
    aws: Aws, env: Environment, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env.kubectl("create", "serviceaccount", "operator", "-n", namespace)
    role = aws.role("dns-of-operator", DNS_RIGHTS, _trusting(f"system:serviceaccount:{namespace}:operator"))
    token = env.kubectl("create", "token", "operator", "-n", namespace, "--audience=sts.amazonaws.com")
    (tmp_path / "token").write_text(token)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", role)
    provider = build({}, identity=Identity(ambient=lambda: None))
    provider.add_txt(ZONE, NAME, VALUES[0])
    assert aws.txt(NAME) == [VALUES[0]]
    provider.remove_txt(ZONE, NAME, VALUES[0])
    with pytest.raises(InvalidSpec, match="names no credentials"):
        build({})


@pytest.mark.usefixtures("_own")
def test_the_operators_own_keys_assume_a_role(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = aws.user("operator", ["sts:AssumeRole"])
    trust = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/operator"}, "Action": "sts:AssumeRole"}
    role = aws.role("dns-for-operator", DNS_RIGHTS, trust)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
    provider = build({"role": role}, identity=Identity(ambient=lambda: None))
    provider.add_txt(ZONE, NAME, VALUES[0])
    assert aws.txt(NAME) == [VALUES[0]]
    provider.remove_txt(ZONE, NAME, VALUES[0])
    with pytest.raises(Terminal, match="the operator's own AWS credentials"):
        build({}, identity=Identity(ambient=lambda: None)).find_zone(NAME)
