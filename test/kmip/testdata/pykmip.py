"""Does with PyKMIP's client what its users do: host, port, certificate, key, CA and a name are the arguments. It ends with "ok", or with what went wrong."""

import sys

from kmip.core import enums
from kmip.core.attributes import Name
from kmip.core.objects import Attribute
from kmip.pie.client import ProxyKmipClient
from kmip.pie.exceptions import KmipOperationFailure

host, port, certificate, key, ca, name = sys.argv[1:]
Usage = enums.CryptographicUsageMask
Reason = enums.ResultReason


def refused(reason, call, *arguments):
    """Wants a refusal with this reason."""
    try:
        call(*arguments)
    except KmipOperationFailure as refusal:
        assert refusal.reason == reason, refusal
        return
    raise AssertionError("it was done")


def cbc(iv):
    """Parameters of AES-CBC with padding."""
    return {"cryptographic_parameters": {
        "block_cipher_mode": enums.BlockCipherMode.CBC,
        "padding_method": enums.PaddingMethod.PKCS5,
        "cryptographic_algorithm": enums.CryptographicAlgorithm.AES,
    }, "iv_counter_nonce": iv}


def named(client, name):
    """The objects of a name."""
    value = Name.create(name, enums.NameType.UNINTERPRETED_TEXT_STRING)
    attribute = Attribute(attribute_name=Attribute.AttributeName("Name"), attribute_value=value)
    return client.locate(attributes=[attribute])


with ProxyKmipClient(hostname=host, port=int(port), cert=certificate, key=key, ca=ca, ssl_version="PROTOCOL_TLSv1_2", config="nothing") as client:
    uid = client.create(enums.CryptographicAlgorithm.AES, 256, name=name, cryptographic_usage_mask=[Usage.ENCRYPT, Usage.DECRYPT])
    found = client.get(uid)
    assert len(found.value) == 32 and found.cryptographic_length == 256, found
    assert named(client, name) == [uid]
    assert named(client, name + " of nobody") == []
    refused(Reason.PERMISSION_DENIED, lambda: client.encrypt(b"too early", uid, **cbc(b"\x00" * 16)))
    client.activate(uid)
    sealed, iv = client.encrypt(b"attack at dawn", uid, **cbc(b"\x01" * 16))
    assert client.decrypt(sealed, uid, **cbc(b"\x01" * 16)) == b"attack at dawn"
    assert "State" in client.get_attribute_list(uid)
    refused(Reason.PERMISSION_DENIED, client.destroy, uid)
    client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
    client.destroy(uid)
    try:
        client.get(uid)
    except KmipOperationFailure:
        print("ok")
