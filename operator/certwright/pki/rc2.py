"""RC2 with keys of 40 bits in CBC mode (RFC 2268), in which old programs expect the certificates of a PKCS#12 file.

It protects nothing: the key can be guessed in seconds. What it is used for is public. See docs/decisions.
"""

from __future__ import annotations

from struct import pack, unpack

BLOCK = 8
"""Bytes."""
# The permutation of RFC 2268 section 2, derived there from the digits of pi.
_PI = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2"
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82"
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7"
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec"
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9"
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad"
)
_ROTATIONS = (1, 2, 3, 5)
_WORD = 0xFFFF


def encrypt(key: bytes, iv: bytes, plain: bytes) -> bytes:
    """Encrypt with the padding of RFC 5652 section 6.3.

    Args:
        key: All of its bits count: five bytes make the variant of 40 bits.
        iv: Eight bytes.
        plain: Of any length.
    """
    schedule = _expand(key)
    pad = BLOCK - len(plain) % BLOCK
    padded = plain + bytes([pad]) * pad
    out, previous = bytearray(), iv
    for start in range(0, len(padded), BLOCK):
        mixed = bytes(a ^ b for a, b in zip(padded[start : start + BLOCK], previous, strict=True))
        previous = _block(schedule, mixed)
        out += previous
    return bytes(out)


def _expand(key: bytes) -> tuple[int, ...]:
    """The 64 words of the key schedule (RFC 2268 section 2), its effective length being that of the key."""
    size = len(key)
    table = bytearray(key)
    for index in range(size, 128):
        table.append(_PI[(table[index - 1] + table[index - size]) & 0xFF])
    table[128 - size] = _PI[table[128 - size]]
    for index in range(127 - size, -1, -1):
        table[index] = _PI[table[index + 1] ^ table[index + size]]
    return unpack("<64H", table)


def _block(schedule: tuple[int, ...], block: bytes) -> bytes:
    """One block (RFC 2268 section 3): five mixing rounds, a mashing round, six, a mashing round, five."""
    words = list(unpack("<4H", block))
    position = 0
    for rounds, mash in ((5, True), (6, True), (5, False)):
        for _ in range(rounds):
            for index in range(4):
                first, second, third = words[index - 1], words[index - 2], words[index - 3]
                mixed = (words[index] + schedule[position] + (first & second) + (~first & third)) & _WORD
                shift = _ROTATIONS[index]
                words[index] = (mixed << shift | mixed >> 16 - shift) & _WORD
                position += 1
        if mash:
            for index in range(4):
                words[index] = (words[index] + schedule[words[index - 1] & 63]) & _WORD
    return pack("<4H", *words)
