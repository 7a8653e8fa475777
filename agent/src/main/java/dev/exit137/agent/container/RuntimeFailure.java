package dev.exit137.agent.container;

import io.grpc.Status;

/** A runtime gave no answer, or rejected the request; the message gives the reason, for a user. */
final class RuntimeFailure extends Exception {
    private static final long serialVersionUID = 1;
    private final Status.Code code;

    RuntimeFailure(String reason) {
        this(reason, Status.Code.UNKNOWN);
    }

    /** Returns the failure of a runtime that cannot be reached. */
    static RuntimeFailure outage(String reason) {
        return new RuntimeFailure(reason, Status.Code.UNAVAILABLE);
    }

    private RuntimeFailure(String reason, Status.Code code) {
        super(reason, null, false, false);
        this.code = code;
    }

    static RuntimeFailure of(Throwable failure) {
        Status status = Status.fromThrowable(failure);
        String reason = switch (status.getCode()) {
            case DEADLINE_EXCEEDED -> "it does not answer in time";
            case UNIMPLEMENTED -> "it does not serve CRI runtime.v1 (containerd: is its cri plugin disabled?)";
            default -> rootMessage(status);
        };
        return new RuntimeFailure(reason, status.getCode());
    }

    private static String rootMessage(Status status) {
        Throwable cause = status.getCause();
        while (cause != null && cause.getCause() != null) {
            cause = cause.getCause();
        }
        String message = cause == null ? status.getDescription() : cause.getMessage();
        return message == null ? status.getCode().toString() : message;
    }

    /** Returns whether the runtime is out, rather than unable to answer this one request. */
    boolean isOutage() {
        return code == Status.Code.UNAVAILABLE || code == Status.Code.DEADLINE_EXCEEDED;
    }

    /** Returns gRPC's status code; UNKNOWN if the failure is not gRPC's. */
    Status.Code code() {
        return code;
    }
}
