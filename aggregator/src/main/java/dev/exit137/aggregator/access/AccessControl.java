package dev.exit137.aggregator.access;

import dev.exit137.aggregator.server.GuardedCalls;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.tls.UnusableFileException;
import dev.exit137.proto.v1.EventIngestGrpc;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.health.v1.HealthGrpc;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * Authenticates the callers and rejects calls without permission. Health checks need no permission, because they name
 * no node and no pod. Runs on the threads of the calls; a call with a token that needs newer keys waits for them
 * without blocking a thread.
 */
public final class AccessControl implements ServerInterceptor, AutoCloseable {
    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
    private static final String BEARER = "Bearer ";

    // Types of GeneralName, RFC 5280, 4.2.1.6, as X509Certificate.getSubjectAlternativeNames numbers them.
    private static final int DNS_NAME = 2;
    private static final int URI_NAME = 6;

    private final AccessConfig config;
    private final Refusals refusals;
    private final InstantSource clock;
    private final Guard guard;
    private final @Nullable TokenVerifier tokens;

    /**
     * Reads the keys that verify tokens from a file, or starts to fetch them.
     *
     * @param clock the wall clock
     */
    public AccessControl(AccessConfig config, Refusals refusals, InstantSource clock, Guard guard)
            throws UnusableFileException {
        this(
                config,
                refusals,
                clock,
                guard,
                config.tokens() == null ? null : new TokenVerifier(config.tokens(), clock, guard));
    }

    AccessControl(
            AccessConfig config, Refusals refusals, InstantSource clock, Guard guard, @Nullable TokenVerifier tokens) {
        this.config = config;
        this.refusals = refusals;
        this.clock = clock;
        this.guard = guard;
        this.tokens = tokens;
    }

    @Override
    public <ReqT, RespT> ServerCall.Listener<ReqT> interceptCall(
            ServerCall<ReqT, RespT> call, Metadata headers, ServerCallHandler<ReqT, RespT> next) {
        String service = call.getMethodDescriptor().getServiceName();
        if (HealthGrpc.SERVICE_NAME.equals(service) || !config.knowsCallers()) {
            return next.startCall(call, headers);
        }
        String token = tokens == null ? null : token(headers).orElse(null);
        Context context = Context.current();
        CompletableFuture<TokenKeys> keys = tokens == null || token == null
                ? CompletableFuture.completedFuture(TokenKeys.NONE)
                : tokens.keysFor(token);
        if (keys.isDone()) {
            return begin(call, headers, next, context, token, keys.join());
        }
        HeldCall<ReqT> held = new HeldCall<>();
        keys.thenAccept(newest -> held.begin(
                () -> GuardedCalls.begin(call, guard, () -> begin(call, headers, next, context, token, newest))));
        return held;
    }

    private <ReqT, RespT> ServerCall.Listener<ReqT> begin(
            ServerCall<ReqT, RespT> call,
            Metadata headers,
            ServerCallHandler<ReqT, RespT> next,
            Context context,
            @Nullable String token,
            TokenKeys keys) {
        try {
            Proofs proofs = proofs(call, token, keys);
            String service = call.getMethodDescriptor().getServiceName();
            Caller caller = EventIngestGrpc.SERVICE_NAME.equals(service) ? publisher(proofs) : reader(proofs);
            return Contexts.interceptCall(context.withValue(Caller.KEY, caller), call, headers, next);
        } catch (StatusException e) {
            Status status = e.getStatus();
            refusals.add(
                    status.getCode() == Status.Code.PERMISSION_DENIED
                            ? Refusals.Reason.PERMISSION_DENIED
                            : Refusals.Reason.UNAUTHENTICATED,
                    call.getMethodDescriptor().getFullMethodName() + " from "
                            + call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR) + ": "
                            + status.getDescription());
            call.close(status, new Metadata());
            return new ServerCall.Listener<>() {};
        }
    }

    private static Optional<String> token(Metadata headers) {
        String authorization = headers.get(AUTHORIZATION);
        // The case of the scheme is not significant, RFC 9110, 11.1.
        return authorization != null && authorization.regionMatches(true, 0, BEARER, 0, BEARER.length())
                ? Optional.of(authorization.substring(BEARER.length()).strip())
                : Optional.empty();
    }

    private Caller publisher(Proofs proofs) throws StatusException {
        Set<String> allowed = proofs.names.stream()
                .filter(name -> Caller.isAmong(config.mayPublish(), name))
                .collect(Collectors.toSet());
        if (allowed.isEmpty()) {
            String tokenRule = config.tokens() == null
                    ? ""
                    : "; tokens name a node only of --token-service-account "
                            + String.join(",", config.tokens().agents());
            throw denied(proofs, "publish", "--allow-publish " + String.join(",", config.mayPublish()) + tokenRule);
        }
        boolean forAll = allowed.stream().anyMatch(name -> !name.startsWith(Caller.NODE));
        Set<String> nodes = forAll
                ? Set.of()
                : allowed.stream()
                        .map(name -> name.substring(Caller.NODE.length()))
                        .collect(Collectors.toSet());
        return new Caller(proofs.names, true, nodes, false, proofs.until);
    }

    private Caller reader(Proofs proofs) throws StatusException {
        boolean allowed = config.mayRead().isEmpty()
                ? proofs.certified
                : proofs.names.stream().anyMatch(name -> Caller.isAmong(config.mayRead(), name));
        if (!allowed) {
            throw denied(
                    proofs,
                    "read",
                    config.mayRead().isEmpty()
                            ? "--allow-read is not given, so who has a certificate may"
                            : "--allow-read " + String.join(",", config.mayRead()));
        }
        boolean mayReadSender = config.mayReadSender().isEmpty()
                || proofs.names.stream().anyMatch(name -> Caller.isAmong(config.mayReadSender(), name));
        return new Caller(proofs.names, false, Set.of(), mayReadSender, proofs.until);
    }

    private static StatusException denied(Proofs proofs, String verb, String rule) {
        String who =
                proofs.names.isEmpty() ? "a certificate without a DNS or URI name" : String.join(", ", proofs.names);
        return Status.PERMISSION_DENIED
                .withDescription(who + " may not " + verb + " here; the aggregator's rule: " + rule)
                .asException();
    }

    /** The credentials of a caller, after their verification. */
    private static final class Proofs {
        private final Set<String> names = new LinkedHashSet<>();
        private boolean certified;
        private Instant until = Instant.MAX;

        void hold(Instant end) {
            until = end.isBefore(until) ? end : until;
        }
    }

    private Proofs proofs(ServerCall<?, ?> call, @Nullable String token, TokenKeys keys) throws StatusException {
        Proofs proofs = new Proofs();
        Optional<X509Certificate> certificate = certificate(call);
        if (certificate.isPresent()) {
            addCertificate(certificate.get(), proofs);
        }
        if (tokens != null && token != null) {
            TokenVerifier.Proof proof = tokens.verify(token, keys);
            proofs.names.addAll(proof.names());
            proofs.hold(proof.until());
        } else if (certificate.isEmpty()) {
            throw Status.UNAUTHENTICATED
                    .withDescription("the aggregator must know who calls: " + wanted())
                    .asException();
        }
        return proofs;
    }

    private String wanted() {
        String certificate = "a client certificate (--tls-cert, --tls-key)";
        String token = "a token (--token-file)";
        if (config.clientAuthorities() == null) {
            return "give " + token;
        }
        return tokens == null ? "give " + certificate : "give " + certificate + " or " + token;
    }

    private void addCertificate(X509Certificate certificate, Proofs proofs) throws StatusException {
        Instant end = certificate.getNotAfter().toInstant();
        if (end.isBefore(clock.instant())) {
            // A connection can outlive the certificate that its handshake verified.
            throw Status.UNAUTHENTICATED
                    .withDescription("the client's certificate expired at " + end + "; connect with a new one")
                    .asException();
        }
        proofs.certified = true;
        proofs.hold(end);
        try {
            proofs.names.addAll(names(certificate));
        } catch (CertificateParsingException e) {
            throw Status.UNAUTHENTICATED
                    .withDescription("the names of the client's certificate cannot be read: " + e.getMessage())
                    .asException();
        }
    }

    private static List<String> names(X509Certificate certificate) throws CertificateParsingException {
        Collection<List<?>> names = certificate.getSubjectAlternativeNames();
        return names == null
                ? List.of()
                : names.stream()
                        .filter(AccessControl::isOfUse)
                        .map(name -> (String) name.get(1))
                        .toList();
    }

    private static boolean isOfUse(List<?> generalName) {
        int kind = (Integer) generalName.get(0);
        return kind == DNS_NAME || kind == URI_NAME;
    }

    /**
     * The DNS and URI names of the caller's certificate, which the handshake has verified; empty without a certificate.
     */
    public static Optional<String> certifiedName(ServerCall<?, ?> call) {
        try {
            Optional<X509Certificate> certificate = certificate(call);
            List<String> names = certificate.isPresent() ? names(certificate.get()) : List.of();
            return names.isEmpty() ? Optional.empty() : Optional.of(String.join(", ", names));
        } catch (CertificateParsingException refusedLater) {
            return Optional.empty();
        }
    }

    private static Optional<X509Certificate> certificate(ServerCall<?, ?> call) {
        SSLSession session = call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
        if (session == null) {
            return Optional.empty();
        }
        try {
            return session.getPeerCertificates()[0] instanceof X509Certificate certificate
                    ? Optional.of(certificate)
                    : Optional.empty();
        } catch (SSLPeerUnverifiedException e) {
            return Optional.empty();
        }
    }

    /** Stops fetching keys; the calls that wait for keys are answered. */
    @Override
    public void close() {
        if (tokens != null) {
            tokens.close();
        }
    }
}
