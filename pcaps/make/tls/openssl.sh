# The OpenSSL that is newer than the system's (post-quantum groups, ECH, times of one's choice in certificates) and one that is older
# (SSL 3.0, RC4, weak suites), built once from the sources that the crate openssl-src carries. Sourced by the scripts.
#
# Needs: cargo, gcc, make, perl. OPENSSLS: where they are kept.

OPENSSLS=${OPENSSLS:-/var/tmp/openssls}

# fetched VERSION: the folder of the sources in that version of the crate.
fetched() {
    local folder=$OPENSSLS/fetched/$1
    if [ ! -d "$folder/vendor" ]; then
        mkdir -p "$folder/src"
        touch "$folder/src/lib.rs"
        printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nopenssl-src = "=%s"\n' "$1" >"$folder/Cargo.toml"
        (cd "$folder" && cargo vendor -q vendor >/dev/null)
    fi
    echo "$folder/vendor/openssl-src/openssl"
}

# built NAME VERSION-OF-THE-CRATE OPTION ...
built() {
    local name=$1 crate=$2 sources
    shift 2
    if [ ! -x "$OPENSSLS/$name/bin/openssl" ]; then
        echo "building OpenSSL ($name)" >&2
        sources=$(fetched "$crate")
        (
            cd "$sources"
            ./Configure linux-x86_64 no-shared no-tests --prefix="$OPENSSLS/$name" --openssldir="$OPENSSLS/$name/ssl" "$@"
            make -j"$(nproc)"
            make install_sw
        ) >"$OPENSSLS/$name.log" 2>&1
    fi
}

built new 400.0.2 no-module
built old 111.28.2 enable-ssl3 enable-ssl3-method enable-weak-ssl-ciphers
NEW=$OPENSSLS/new/bin/openssl
OLD=$OPENSSLS/old/bin/openssl
SYSTEM=/usr/bin/openssl
