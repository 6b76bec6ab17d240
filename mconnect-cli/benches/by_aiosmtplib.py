"""Asks mail servers by aiosmtplib: EHLO, with STARTTLS if that is wanted, QUIT; so many at once, an address a line.

usage: by_aiosmtplib.py AT_ONCE PORT clear|tls <addresses
"""

import asyncio
import ssl
import sys

import aiosmtplib

AT_ONCE, PORT, TLS = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "tls"
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE


async def ask(address, free):
    async with free:
        try:
            client = aiosmtplib.SMTP(hostname=address, port=PORT, start_tls=False, timeout=60)
            await client.connect()
            await client.ehlo()
            if TLS:
                await client.starttls(tls_context=context)
                await client.ehlo()
            await client.quit()
            print("asked", address)
        except (OSError, aiosmtplib.SMTPException) as error:
            print("failed", address, error)


async def main():
    free = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(ask(address, free) for address in sys.stdin.read().split()))


asyncio.run(main())
