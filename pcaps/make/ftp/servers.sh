# The servers that the captures of FTP are made with. Sourced by ftp.sh.
#
# vsftpd comes from its package. ProFTPD, Pure-FTPd and the client of inetutils exclude it or each other there, so that they are
# unpacked into $PEERS and run from there.

FTPD=$PEERS/ftp
LIBRARIES=$FTPD/usr/lib/x86_64-linux-gnu

peers() {
    [ -x "$FTPD/usr/bin/inetutils-ftp" ] && return
    mkdir -p "$FTPD"
    (
        cd "$FTPD"
        apt-get download -qq proftpd-core proftpd-mod-crypto pure-ftpd inetutils-ftp libhiredis0.14 libhashkit2 libmemcached11 \
            libmemcachedutil2 libpcre2-posix3 2>/dev/null
        for package in *.deb; do dpkg -x "$package" .; done
    )
}

# The user lake with the password "pass word", known in the server's namespace only; its names too.
users() {
    local etc=/etc/netns/$SERVER
    mkdir -p "$etc/pam.d" "/etc/netns/$CLIENT"
    cp /etc/group /etc/shadow "$etc/"
    sed "s|^\(ftp:.*\):[^:]*:\([^:]*\)$|\1:$WWW:\2|" /etc/passwd >"$etc/passwd"
    printf 'lake:x:2121:2121:Lake:%s:/bin/sh\n' "$WWW" >>"$etc/passwd"
    printf 'lake:x:2121:\n' >>"$etc/group"
    printf 'lake:%s:20000:0:99999:7:::\n' "$(openssl passwd -6 -salt spanlake 'pass word')" >>"$etc/shadow"
    printf 'auth required pam_unix.so\naccount required pam_unix.so\n' | tee "$etc/pam.d/vsftpd" "$etc/pam.d/pure-ftpd" >"$etc/pam.d/proftpd"
    printf '127.0.0.1 localhost\n10.1.1.2 ftp.example.test\n2001:db8:1::2 six.example.test\n' | tee "$etc/hosts" >"/etc/netns/$CLIENT/hosts"
}

# vsftpd [OPTION=VALUE ...]: on port 21 of 10.1.1.2; its pid in VSFTPD. What it says of commands goes to $WORK/vsftpd.log.
vsftpd() {
    : >"$WORK/vsftpd.log"
    cat >"$WORK/vsftpd.conf" <<CONF
listen=YES
background=NO
anonymous_enable=YES
anon_root=$WWW
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
local_enable=YES
local_root=$WWW
chroot_local_user=YES
allow_writeable_chroot=YES
write_enable=YES
local_umask=022
secure_chroot_dir=$WORK/empty
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
connect_from_port_20=YES
delay_failed_login=0
use_localtime=NO
xferlog_enable=YES
xferlog_std_format=NO
log_ftp_protocol=YES
vsftpd_log_file=$WORK/vsftpd.log
CONF
    if [ $# -gt 0 ]; then printf '%s\n' "$@" >>"$WORK/vsftpd.conf"; fi
    start "$SERVER" /usr/sbin/vsftpd "$WORK/vsftpd.conf"
    VSFTPD=$!
    listening "$SERVER" "${PORT:-21}"
    TOLD=(vsftpd "$WORK/vsftpd.log")
}

# proftpd [DIRECTIVE ...]: the same with ProFTPD; its pid in PROFTPD, what it says in $WORK/proftpd.log.
proftpd() {
    rm -f "$WORK"/proftpd.*
    cat >"$WORK/proftpd.conf" <<CONF
ServerName "Lake"
ServerType standalone
DefaultServer on
Port 21
UseIPv6 on
SocketBindTight on
DefaultAddress 10.1.1.2
User ftp
Group nogroup
UseReverseDNS off
WtmpLog off
RequireValidShell off
AuthPAM off
AuthOrder mod_auth_unix.c
ModulePath $FTPD/usr/lib/proftpd
PidFile $WORK/proftpd.pid
ScoreboardFile $WORK/proftpd.scoreboard
SystemLog $WORK/proftpd.system
TransferLog $WORK/proftpd.transfers
LogFormat told "%{remote-port} %s %r"
ExtendedLog $WORK/proftpd.log ALL told
AllowOverwrite on
AllowStoreRestart on
AllowRetrieveRestart on
TimesGMT on
DefaultRoot $WWW
CONF
    local directive
    for directive in "$@"; do printf '%s\n' "$directive" >>"$WORK/proftpd.conf"; done
    cat >>"$WORK/proftpd.conf" <<CONF
<Anonymous $WWW>
User ftp
Group nogroup
UserAlias anonymous ftp
</Anonymous>
CONF
    LD_LIBRARY_PATH=$LIBRARIES start "$SERVER" "$FTPD/usr/sbin/proftpd" -n -c "$WORK/proftpd.conf"
    PROFTPD=$!
    listening "$SERVER" 21
    TOLD=(proftpd "$WORK/proftpd.log")
}

# pureftpd [OPTION ...]: Pure-FTPd, of which clients tell; its pid in PUREFTPD.
pureftpd() {
    start "$SERVER" "$FTPD/usr/sbin/pure-ftpd" -S 10.1.1.2,21 -H -A -l unix -u 1 -g "$WORK/pure.pid" "$@"
    PUREFTPD=$!
    listening "$SERVER" 21
}

# pyftpd [OPTION ...]: pyftpdlib with what ftp/server.py adds; its pid in PYFTPD, what it says in $WORK/pyftpd.log.
pyftpd() {
    : >"$WORK/pyftpd.log"
    start "$SERVER" "$PYTHON" "$MAKE/ftp/server.py" --root "$WWW" --log "$WORK/pyftpd.log" "$@"
    PYFTPD=$!
    listening "$SERVER" "${PORT:-21}"
    TOLD=(lines "$WORK/pyftpd.log")
}
