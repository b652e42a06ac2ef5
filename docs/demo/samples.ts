// The documents of docs/samples as the demo publishes them.

import { readFile } from 'node:fs/promises';
import path from 'node:path';

const folder = path.resolve(import.meta.dirname, '../samples');

export interface Sample {
  readonly name: string;
  readonly bytes: Buffer;
  readonly contentType: string;
  /**
   * The attribute `document`: what kind of document it is, so that nobody has to open it to know.
   */
  readonly document: string;
}

/** All samples by name, the poison among them. */
export async function readSamples(): Promise<
  Record<'entries' | 'status' | 'invoice' | 'umlauts' | 'advice' | 'poison', Sample>
> {
  const read = async (name: string, document: string, charset: string): Promise<Sample> => ({
    name,
    bytes: await readFile(path.join(folder, name)),
    contentType: `application/xml; charset=${charset}`,
    document,
  });
  return {
    entries: await read('camt.054-entries.xml', 'camt.054', 'utf-8'),
    status: await read('pain.002-status.xml', 'pain.002', 'utf-8'),
    invoice: await read('ubl-invoice.xml', 'ubl-invoice', 'utf-8'),
    umlauts: await read('camt.054-umlauts.iso-8859-1.xml', 'camt.054', 'iso-8859-1'),
    advice: await read('ubl-despatch-advice.utf-16.xml', 'ubl-despatch-advice', 'utf-16'),
    poison: await read('camt.054-wrong-control-sum.xml', 'camt.054', 'utf-8'),
  };
}
