//! Names of numbers in Kerberos: encryption types as Zeek writes them, which is as IANA has them; types of padata and
//! codes of errors as their RFCs call them.

/// Writes the name of an encryption type, else `etype-99`.
pub fn write_encryption_type(number: i32, out: &mut Vec<u8>) {
    write(encryption_type(number), "etype-", number, out);
}

/// Writes the name of a type of padata, else `PA-99`.
pub fn write_padata_type(number: i32, out: &mut Vec<u8>) {
    write(padata_type(number), "PA-", number, out);
}

/// Writes the name of a code of errors, else `error-200`.
pub fn write_error(number: i32, out: &mut Vec<u8>) {
    write(error(number), "error-", number, out);
}

fn write(name: Option<&str>, prefix: &str, number: i32, out: &mut Vec<u8>) {
    match name {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => {
            out.extend_from_slice(prefix.as_bytes());
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
    }
}

/// Declares a function from number to name.
macro_rules! names {
    ($(#[$doc:meta])* $function:ident { $($number:literal $name:literal)* }) => {
        $(#[$doc])*
        pub fn $function(number: i32) -> Option<&'static str> {
            match number {
                $($number => Some($name),)*
                _ => None,
            }
        }
    };
}

names! {
    /// Encryption type ("Kerberos Encryption Type Numbers"; RFC 3961, 3962, 4757, 6803, 8009). Negative ones are for
    /// private use and have no names.
    encryption_type {
        1 "des-cbc-crc" 2 "des-cbc-md4" 3 "des-cbc-md5" 4 "des-cbc-raw" 5 "des3-cbc-md5" 6 "des3-cbc-raw"
        7 "des3-cbc-sha1" 8 "des-hmac-sha1" 9 "dsaWithSHA1-CmsOID" 10 "md5WithRSAEncryption-CmsOID"
        11 "sha1WithRSAEncryption-CmsOID" 12 "rc2CBC-EnvOID" 13 "rsaEncryption-EnvOID" 14 "rsaES-OAEP-ENV-OID"
        15 "des-ede3-cbc-Env-OID" 16 "des3-cbc-sha1-kd" 17 "aes128-cts-hmac-sha1-96" 18 "aes256-cts-hmac-sha1-96"
        19 "aes128-cts-hmac-sha256-128" 20 "aes256-cts-hmac-sha384-192" 23 "rc4-hmac" 24 "rc4-hmac-exp"
        25 "camellia128-cts-cmac" 26 "camellia256-cts-cmac" 65 "subkey-keymaterial"
    }
}

names! {
    /// Type of padata ("Pre-authentication and Typed Data"), those of Microsoft's (MS-KILE, MS-SFU) among them.
    padata_type {
        1 "PA-TGS-REQ" 2 "PA-ENC-TIMESTAMP" 3 "PA-PW-SALT" 5 "PA-ENC-UNIX-TIME" 6 "PA-SANDIA-SECUREID" 7 "PA-SESAME"
        8 "PA-OSF-DCE" 9 "PA-CYBERSAFE-SECUREID" 10 "PA-AFS3-SALT" 11 "PA-ETYPE-INFO" 12 "PA-SAM-CHALLENGE"
        13 "PA-SAM-RESPONSE" 14 "PA-PK-AS-REQ-OLD" 15 "PA-PK-AS-REP-OLD" 16 "PA-PK-AS-REQ" 17 "PA-PK-AS-REP"
        18 "PA-PK-OCSP-RESPONSE" 19 "PA-ETYPE-INFO2" 20 "PA-SVR-REFERRAL-INFO" 21 "PA-SAM-REDIRECT"
        22 "PA-GET-FROM-TYPED-DATA" 23 "PA-SAM-ETYPE-INFO" 24 "PA-ALT-PRINC" 25 "PA-SERVER-REFERRAL"
        30 "PA-SAM-CHALLENGE2" 31 "PA-SAM-RESPONSE2" 41 "PA-EXTRA-TGT" 101 "TD-PKINIT-CMS-CERTIFICATES"
        102 "TD-KRB-PRINCIPAL" 103 "TD-KRB-REALM" 104 "TD-TRUSTED-CERTIFIERS" 105 "TD-CERTIFICATE-INDEX"
        106 "TD-APP-DEFINED-ERROR" 107 "TD-REQ-NONCE" 108 "TD-REQ-SEQ" 109 "TD-DH-PARAMETERS"
        111 "TD-CMS-DIGEST-ALGORITHMS" 112 "TD-CERT-DIGEST-ALGORITHMS" 128 "PA-PAC-REQUEST" 129 "PA-FOR-USER"
        130 "PA-S4U-X509-USER" 131 "PA-FOR-CHECK-DUPS" 132 "PA-AS-CHECKSUM" 133 "PA-FX-COOKIE"
        134 "PA-AUTHENTICATION-SET" 135 "PA-AUTH-SET-SELECTED" 136 "PA-FX-FAST" 137 "PA-FX-ERROR"
        138 "PA-ENCRYPTED-CHALLENGE" 141 "PA-OTP-CHALLENGE" 142 "PA-OTP-REQUEST" 143 "PA-OTP-CONFIRM"
        144 "PA-OTP-PIN-CHANGE" 145 "PA-EPAK-AS-REQ" 146 "PA-EPAK-AS-REP" 147 "PA-PKINIT-KX" 148 "PA-PKU2U-NAME"
        149 "PA-REQ-ENC-PA-REP" 150 "PA-AS-FRESHNESS" 151 "PA-SPAKE" 152 "PA-REDHAT-IDP-OAUTH2"
        153 "PA-REDHAT-PASSKEY" 161 "PA-KERB-KEY-LIST-REQ" 162 "PA-KERB-KEY-LIST-REP" 165 "PA-SUPPORTED-ENCTYPES"
        166 "PA-EXTENDED-ERROR" 167 "PA-PAC-OPTIONS"
    }
}

names! {
    /// Code of an error (RFC 4120, 7.5.9; 4556, 3.1.3; 6113, 5.3; 6806, 4; 8062, 7; 8636, 4; draft-ietf-kitten-iakerb).
    error {
        0 "KDC_ERR_NONE" 1 "KDC_ERR_NAME_EXP" 2 "KDC_ERR_SERVICE_EXP" 3 "KDC_ERR_BAD_PVNO" 4 "KDC_ERR_C_OLD_MAST_KVNO"
        5 "KDC_ERR_S_OLD_MAST_KVNO" 6 "KDC_ERR_C_PRINCIPAL_UNKNOWN" 7 "KDC_ERR_S_PRINCIPAL_UNKNOWN"
        8 "KDC_ERR_PRINCIPAL_NOT_UNIQUE" 9 "KDC_ERR_NULL_KEY" 10 "KDC_ERR_CANNOT_POSTDATE" 11 "KDC_ERR_NEVER_VALID"
        12 "KDC_ERR_POLICY" 13 "KDC_ERR_BADOPTION" 14 "KDC_ERR_ETYPE_NOSUPP" 15 "KDC_ERR_SUMTYPE_NOSUPP"
        16 "KDC_ERR_PADATA_TYPE_NOSUPP" 17 "KDC_ERR_TRTYPE_NOSUPP" 18 "KDC_ERR_CLIENT_REVOKED"
        19 "KDC_ERR_SERVICE_REVOKED" 20 "KDC_ERR_TGT_REVOKED" 21 "KDC_ERR_CLIENT_NOTYET" 22 "KDC_ERR_SERVICE_NOTYET"
        23 "KDC_ERR_KEY_EXPIRED" 24 "KDC_ERR_PREAUTH_FAILED" 25 "KDC_ERR_PREAUTH_REQUIRED" 26 "KDC_ERR_SERVER_NOMATCH"
        27 "KDC_ERR_MUST_USE_USER2USER" 28 "KDC_ERR_PATH_NOT_ACCEPTED" 29 "KDC_ERR_SVC_UNAVAILABLE"
        31 "KRB_AP_ERR_BAD_INTEGRITY" 32 "KRB_AP_ERR_TKT_EXPIRED" 33 "KRB_AP_ERR_TKT_NYV" 34 "KRB_AP_ERR_REPEAT"
        35 "KRB_AP_ERR_NOT_US" 36 "KRB_AP_ERR_BADMATCH" 37 "KRB_AP_ERR_SKEW" 38 "KRB_AP_ERR_BADADDR"
        39 "KRB_AP_ERR_BADVERSION" 40 "KRB_AP_ERR_MSG_TYPE" 41 "KRB_AP_ERR_MODIFIED" 42 "KRB_AP_ERR_BADORDER"
        44 "KRB_AP_ERR_BADKEYVER" 45 "KRB_AP_ERR_NOKEY" 46 "KRB_AP_ERR_MUT_FAIL" 47 "KRB_AP_ERR_BADDIRECTION"
        48 "KRB_AP_ERR_METHOD" 49 "KRB_AP_ERR_BADSEQ" 50 "KRB_AP_ERR_INAPP_CKSUM" 51 "KRB_AP_PATH_NOT_ACCEPTED"
        52 "KRB_ERR_RESPONSE_TOO_BIG" 60 "KRB_ERR_GENERIC" 61 "KRB_ERR_FIELD_TOOLONG" 62 "KDC_ERR_CLIENT_NOT_TRUSTED"
        63 "KDC_ERR_KDC_NOT_TRUSTED" 64 "KDC_ERR_INVALID_SIG" 65 "KDC_ERR_DH_KEY_PARAMETERS_NOT_ACCEPTED"
        66 "KDC_ERR_CERTIFICATE_MISMATCH" 67 "KRB_AP_ERR_NO_TGT" 68 "KDC_ERR_WRONG_REALM"
        69 "KRB_AP_ERR_USER_TO_USER_REQUIRED" 70 "KDC_ERR_CANT_VERIFY_CERTIFICATE" 71 "KDC_ERR_INVALID_CERTIFICATE"
        72 "KDC_ERR_REVOKED_CERTIFICATE" 73 "KDC_ERR_REVOCATION_STATUS_UNKNOWN"
        74 "KDC_ERR_REVOCATION_STATUS_UNAVAILABLE" 75 "KDC_ERR_CLIENT_NAME_MISMATCH" 76 "KDC_ERR_KDC_NAME_MISMATCH"
        77 "KDC_ERR_INCONSISTENT_KEY_PURPOSE" 78 "KDC_ERR_DIGEST_IN_CERT_NOT_ACCEPTED"
        79 "KDC_ERR_PA_CHECKSUM_MUST_BE_INCLUDED" 80 "KDC_ERR_DIGEST_IN_SIGNED_DATA_NOT_ACCEPTED"
        81 "KDC_ERR_PUBLIC_KEY_ENCRYPTION_NOT_SUPPORTED" 85 "KRB_AP_ERR_IAKERB_KDC_NOT_FOUND"
        86 "KRB_AP_ERR_IAKERB_KDC_NO_RESPONSE" 90 "KDC_ERR_PREAUTH_EXPIRED" 91 "KDC_ERR_MORE_PREAUTH_DATA_REQUIRED"
        92 "KDC_ERR_PREAUTH_BAD_AUTHENTICATION_SET" 93 "KDC_ERR_UNKNOWN_CRITICAL_FAST_OPTIONS"
        100 "KDC_ERR_NO_ACCEPTABLE_KDF"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_stays_a_number_with_its_sign() {
        let text = |write: fn(i32, &mut Vec<u8>), number| {
            let mut out = Vec::new();
            write(number, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(write_encryption_type, 20), "aes256-cts-hmac-sha384-192");
        assert_eq!(text(write_encryption_type, -133), "etype--133");
        assert_eq!(text(write_encryption_type, i32::MIN), "etype--2147483648");
        assert_eq!(text(write_padata_type, 136), "PA-FX-FAST");
        assert_eq!(text(write_padata_type, 4), "PA-4");
        assert_eq!(text(write_error, 25), "KDC_ERR_PREAUTH_REQUIRED");
        assert_eq!(text(write_error, 200), "error-200");
    }
}
