// IP addresses and ranges of them, as the API takes them.

/** What is wrong with an entry of a list of addresses; nothing when it is good. */
export function addressFault(text: string): string | undefined {
  const [address = "", bits, ...rest] = text.split("/");
  const most = isV4(address) ? 32 : isV6(address) ? 128 : undefined;
  if (most === undefined || rest.length > 0) {
    return `“${text}” is no address. Enter one such as 203.0.113.10, or a range such as 10.0.0.0/8 or 2001:db8::/32.`;
  }
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most)) {
    return `“${text}” is no range: behind the slash stands a number from 0 to ${most}.`;
  }
  return undefined;
}

function isV4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}

function isV6(text: string): boolean {
  // Browsers know how one is written; a zone belongs to a machine and not to a rule.
  return text.includes(":") && /^[\da-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]/`);
}
