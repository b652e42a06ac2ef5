// What npm's audit says, judged. A registry that gives no advisories has found nothing wrong, and
// nothing right either: that is a verdict of its own, never a pass.

/** The exit codes of `npm run audit`. */
export const exitCodes = { clean: 0, vulnerable: 1, unknown: 3 } as const;

export interface Verdict {
  readonly verdict: keyof typeof exitCodes;
  readonly sentences: readonly string[];
}

/** From this severity on. */
const SEVERITIES = ['moderate', 'high', 'critical'];

interface Report {
  readonly auditReportVersion?: unknown;
  readonly message?: unknown;
  readonly vulnerabilities?: Readonly<Record<string, { severity?: unknown; range?: unknown; via?: unknown }>>;
  readonly metadata?: { readonly dependencies?: { readonly prod?: unknown } };
}

/** Reads what `npm audit --omit=dev --json` wrote. */
export function judgeReport(text: string): Verdict {
  const report = parse(text);
  const audited = report?.metadata?.dependencies?.prod;
  const { vulnerabilities } = report ?? {};
  if (report?.auditReportVersion !== 2 || vulnerabilities === undefined || typeof audited !== 'number' || audited < 1) {
    const why = typeof report?.message === 'string' ? `: ${report.message}` : '';
    return {
      verdict: 'unknown',
      sentences: [`NOT AUDITED: the registry gave no advisories${why}`, 'Run this again where it does.'],
    };
  }
  const found = Object.entries(vulnerabilities).filter(([, { severity }]) => SEVERITIES.includes(String(severity)));
  if (found.length === 0) return { verdict: 'clean', sentences: [`${audited} packages, no advisory about any.`] };
  return {
    verdict: 'vulnerable',
    sentences: found.map(([name, { severity, range, via }]) => `${name} ${range} is ${severity}: ${describe(via)}`),
  };
}

function parse(text: string): Report | null {
  try {
    return JSON.parse(text) as Report | null;
  } catch {
    return null;
  }
}

/** Advisories, or the names of packages that have them. */
function describe(via: unknown): string {
  const reasons = Array.isArray(via) ? via : [];
  return reasons.map((each) => (typeof each === 'string' ? `by ${each}` : `${each.title} ${each.url}`)).join('; ');
}
