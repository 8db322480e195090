-- The SQL functions of `spanlake hunt` as macros: they give what the embedded engine and the functions for Spark give.

-- The labels of a name, lower-case and without a final dot. In the lake's form a dot inside a label stands behind a
-- backslash and a backslash is doubled; both are put away meanwhile as control characters, which no text of the lake holds.
CREATE OR REPLACE MACRO spanlake_labels(name) AS
  string_split(replace(replace(regexp_replace(lower(name), '[.]$', ''), '\\', chr(1)), '\.', chr(2)), '.');
CREATE OR REPLACE MACRO spanlake_unlabel(labels) AS
  replace(replace(array_to_string(labels, '.'), chr(1), '\\'), chr(2), '\.');
CREATE OR REPLACE MACRO spanlake_is_ipv4(text) AS
  regexp_full_match(text, '((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])([.]|$)){4}') AND NOT ends_with(text, '.');
-- With which label, from 1, the public suffix of a name begins: an exception among the rules first, else the longest of
-- them, else the last label. Null where there is none: empty names, addresses, an empty label at the end or in front of it.
CREATE OR REPLACE MACRO spanlake_suffix(name) AS (
  SELECT CASE WHEN place = 1 OR labels[place - 1] <> '' THEN place END
  FROM (
    SELECT any_value(labels) AS labels,
      coalesce(min(place + 1) FILTER (exception), min(place) FILTER (NOT exception), len(any_value(labels))) AS place
    FROM (
      SELECT labels, place, starts_with(rule, '!') AND rule <> tail AS exception
      FROM (
        SELECT labels, place, tail, unnest(['!' || tail, tail, '*.' || array_to_string(labels[place + 1:], '.'), NULL]) AS candidate
        FROM (
          SELECT labels, place, array_to_string(labels[place:], '.') AS tail
          FROM (SELECT spanlake_labels(name) AS labels, unnest(range(1, len(spanlake_labels(name)) + 1)) AS place)
        )
      ) LEFT JOIN public_suffixes ON rule = candidate
      WHERE labels[-1] <> '' AND NOT contains(name, ':') AND NOT spanlake_is_ipv4(regexp_replace(name, '[.]$', ''))
    ) HAVING count(*) > 0
  )
);
CREATE OR REPLACE MACRO tld(name) AS spanlake_unlabel(spanlake_labels(name)[spanlake_suffix(name):]);
CREATE OR REPLACE MACRO registered_domain(name) AS
  CASE WHEN spanlake_suffix(name) > 1 THEN spanlake_unlabel(spanlake_labels(name)[spanlake_suffix(name) - 1:]) END;

-- An IPv6 address as eight numbers; null where the text is none. Four digits of the old kind at its end are two numbers.
CREATE OR REPLACE MACRO spanlake_hextets(text) AS
  list_transform(string_split(nullif(text, ''), ':'), lambda part: TRY_CAST('0x' || part AS BIGINT));
CREATE OR REPLACE MACRO spanlake_undotted(address) AS
  CASE WHEN NOT contains(address, '.') THEN address
    WHEN spanlake_is_ipv4(regexp_extract(address, '[^:]*$')) THEN
      regexp_replace(address, '[^:]*$', '') || (
        WITH quad AS (SELECT list_transform(string_split(regexp_extract(address, '[^:]*$'), '.'), lambda part: TRY_CAST(part AS BIGINT)) AS q)
        SELECT printf('%x:%x', q[1] * 256 + q[2], q[3] * 256 + q[4]) FROM quad)
  END;
CREATE OR REPLACE MACRO spanlake_ipv6(address) AS (
  SELECT CASE
      WHEN regexp_full_match(text, '([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4})*)?(::([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4})*)?)?') IS NOT TRUE THEN NULL
      WHEN NOT contains(text, '::') THEN CASE WHEN len(head) = 8 THEN head END
      WHEN len(head) + len(tail) <= 7 THEN head || list_transform(range(8 - len(head) - len(tail)), lambda zero: 0::BIGINT) || tail
    END
  FROM (
    SELECT text, coalesce(spanlake_hextets(split_part(text, '::', 1)), []::BIGINT[]) AS head,
      coalesce(spanlake_hextets(split_part(text, '::', 2)), []::BIGINT[]) AS tail
    FROM (SELECT spanlake_undotted(address) AS text)
  )
);
-- RFC 5952: the longest run of zeros, and the first of several, is left out; IPv4 that is mapped keeps its dots.
CREATE OR REPLACE MACRO spanlake_ipv6_text(numbers) AS (
  SELECT CASE
      WHEN text LIKE '0:0:0:0:0:ffff:%' THEN
        printf('::ffff:%d.%d.%d.%d', numbers[7] // 256, numbers[7] % 256, numbers[8] // 256, numbers[8] % 256)
      WHEN run IS NULL THEN text
      ELSE regexp_replace(':' || text || ':', ':' || run || ':', '::').regexp_replace('^:([^:])', '\1').regexp_replace('([^:]):$', '\1')
    END
  FROM (
    SELECT text, list_filter(['0:0:0:0:0:0:0:0', '0:0:0:0:0:0:0', '0:0:0:0:0:0', '0:0:0:0:0', '0:0:0:0', '0:0:0', '0:0'],
      lambda zeros: contains(':' || text || ':', ':' || zeros || ':'))[1] AS run
    FROM (SELECT array_to_string(list_transform(numbers, lambda number: printf('%x', number)), ':') AS text)
  )
);
CREATE OR REPLACE MACRO subnet(address, bits) AS
  CASE
    WHEN bits < 0 OR bits IS NULL THEN NULL
    WHEN spanlake_is_ipv4(address) THEN CASE WHEN bits <= 32 THEN
      array_to_string(list_transform([1, 2, 3, 4], lambda place:
        TRY_CAST(split_part(address, '.', place) AS BIGINT) & (255 - (255 >> greatest(0, least(8, bits - 8 * (place - 1)))::INTEGER))), '.') || '/' || bits END
    WHEN contains(address, ':') AND bits <= 128 THEN
      spanlake_ipv6_text(list_transform(spanlake_ipv6(address), lambda number, place:
        number & (65535 - (65535 >> greatest(0, least(16, bits - 16 * (place - 1)))::INTEGER)))) || '/' || bits
  END;
CREATE OR REPLACE MACRO is_private(address) AS
  CASE
    WHEN spanlake_is_ipv4(address) THEN regexp_matches(address, '^(10|127|192[.]168|169[.]254|172[.](1[6-9]|2[0-9]|3[01]))[.]')
    WHEN contains(address, ':') THEN (
      SELECT CASE WHEN n IS NOT NULL THEN n[1] & 65024 = 64512 OR n[1] & 65472 = 65152 OR n = [0, 0, 0, 0, 0, 0, 0, 1]::BIGINT[] END
      FROM (SELECT spanlake_ipv6(address) AS n))
  END;
CREATE OR REPLACE MACRO entropy(text) AS
  CASE WHEN text = '' THEN 0.0::DOUBLE ELSE list_aggregate(regexp_extract_all(hex(encode(text)), '..'), 'entropy') END;
CREATE OR REPLACE MACRO unbase64_text(text) AS (
  SELECT CASE WHEN NOT regexp_matches(decoded, '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]') THEN decoded END
  FROM (SELECT TRY(decode(CASE WHEN TRY(to_base64(from_base64(text))) = text THEN TRY(from_base64(text)) END)) AS decoded)
);
