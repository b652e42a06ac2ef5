import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findRepeatedField } from '../../../src/transports/http/json-fields.ts';
import { scanShape } from '../../../src/transports/http/json-shape.ts';

const find = (text: string) => {
  const body = Buffer.from(text);
  return findRepeatedField(body, scanShape(body).fields, JSON.parse(text));
};

describe('a field that stands twice', () => {
  it.each<[string, string, (string | number)[]]>([
    ['at the top', '{"a":1,"a":2}', ['a']],
    ['of the same value', '{"a":1,"a":1}', ['a']],
    [
      'further down',
      '{"messages":[{"body":"x"},{"body":"y","attributes":{"k":"1","k":"2"}}]}',
      ['messages', 1, 'attributes', 'k'],
    ],
    ['with another spelling of the same name', '{"a":1,"\\u0061":2}', ['a']],
    ['with spaces before its colon', '{"a" \n:1,"a"\t: 2}', ['a']],
    ['in a list of lists', '[[{}],[1,{"a":[],"a":{}}]]', [1, 1, 'a']],
    ['that is empty', '{"":1,"":2}', ['']],
    ['that means something to JavaScript', '{"__proto__":1,"__proto__":2}', ['__proto__']],
    ['that is a number', '{"1":1,"1":2}', ['1']],
    ['with quotes and backslashes', '{"\\"\\\\":1,"\\"\\\\":2}', ['"\\']],
    ['three times', '{"a":1,"a":2,"a":3}', ['a']],
  ])('is found %s', (_, text, path) => {
    expect(find(text)).toEqual(path);
  });

  it.each([
    ['fields of one name in several objects', '[{"a":1},{"a":2},{"b":{"a":3}}]'],
    ['names that differ in case', '{"a":1,"A":2}'],
    ['colons and quotes in texts', '{"a":":\\":{","b":"\\\\","c":["\\"a\\":1"]}'],
    ['no object', '"a:b"'],
    ['a number', '1'],
    ['what JavaScript has of its own', '{"__proto__":1,"constructor":2,"toString":3}'],
  ])('is not seen in %s', (_, text) => {
    expect(find(text)).toBeNull();
  });

  it('is never seen in what JSON.stringify wrote, and always when one is added', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1, maxKeys: 5 }), (value) => {
        const text = JSON.stringify(value);
        expect(find(text)).toBeNull();
        const [name = ''] = Object.keys(value);
        expect(find(`{${JSON.stringify(name)}:0,${text.slice(1)}`)).toEqual([name]);
      }),
    );
  });
});
