import ihe.iti.rmd._2017.RemoveDocumentsRequestType;
import ihe.iti.xds_b._2007.DocumentRepositoryPortType;
import ihe.iti.xds_b._2007.DocumentRepositoryService;
import ihe.iti.xds_b._2007.DocumentRequestType;
import ihe.iti.xds_b._2007.ProvideAndRegisterDocumentSetRequestType;
import ihe.iti.xds_b._2007.RetrieveDocumentSetRequestType;
import ihe.iti.xds_b._2007.RetrieveDocumentSetResponseType;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigInteger;
import java.net.URL;
import java.security.MessageDigest;
import javax.activation.DataHandler;
import javax.activation.DataSource;
import javax.xml.ws.soap.SOAPFaultException;
import oasis.names.tc.ebxml_regrep.xsd.lcm._3.SubmitObjectsRequest;
import oasis.names.tc.ebxml_regrep.xsd.rim._3.RegistryObjectListType;
import oasis.names.tc.ebxml_regrep.xsd.rs._3.RegistryError;
import oasis.names.tc.ebxml_regrep.xsd.rs._3.RegistryResponseType;

/** A client made of the repository's WSDL alone: it provides, retrieves, and is refused. */
public class Peer {
    static class Zeros implements DataSource {
        final int size;

        Zeros(int size) {
            this.size = size;
        }

        public InputStream getInputStream() {
            return new ByteArrayInputStream(new byte[size]);
        }

        public OutputStream getOutputStream() {
            throw new UnsupportedOperationException();
        }

        public String getContentType() {
            return "application/pdf";
        }

        public String getName() {
            return "zeros";
        }
    }

    static DocumentRequestType request(String uniqueId) {
        DocumentRequestType request = new DocumentRequestType();
        request.setRepositoryUniqueId("1.2.3");
        request.setDocumentUniqueId(uniqueId);
        return request;
    }

    public static void main(String[] args) throws Exception {
        DocumentRepositoryPortType port =
            new DocumentRepositoryService(new URL(args[0])).getDocumentRepositoryPortSoap12();

        ProvideAndRegisterDocumentSetRequestType provide = new ProvideAndRegisterDocumentSetRequestType();
        SubmitObjectsRequest submit = new SubmitObjectsRequest();
        submit.setRegistryObjectList(new RegistryObjectListType());
        provide.setSubmitObjectsRequest(submit);
        for (int size : new int[] {0, 1, 100_000, 3_000_000}) {
            ProvideAndRegisterDocumentSetRequestType.Document document =
                new ProvideAndRegisterDocumentSetRequestType.Document();
            document.setId("doc" + size);
            document.setValue(new DataHandler(new Zeros(size)));
            provide.getDocument().add(document);
        }
        RegistryResponseType answer = port.documentRepositoryProvideAndRegisterDocumentSetB(provide);
        System.out.println("status " + answer.getStatus());
        for (RegistryError error : answer.getRegistryErrorList().getRegistryError()) {
            System.out.println("provided " + error.getCodeContext());
        }

        RetrieveDocumentSetRequestType retrieve = new RetrieveDocumentSetRequestType();
        for (int i = 1; i < args.length; i++) {
            retrieve.getDocumentRequest().add(request(args[i]));
        }
        for (RetrieveDocumentSetResponseType.DocumentResponse got :
                port.documentRepositoryRetrieveDocumentSet(retrieve).getDocumentResponse()) {
            byte[] bytes = got.getDocument().getInputStream().readAllBytes();
            byte[] digest = MessageDigest.getInstance("SHA-1").digest(bytes);
            System.out.printf("retrieved %s %d %040x%n", got.getDocumentUniqueId(), bytes.length, new BigInteger(1, digest));
        }

        try {
            RemoveDocumentsRequestType remove = new RemoveDocumentsRequestType();
            remove.getDocumentRequest().add(request("1.2.3.9"));
            port.documentRepositoryRemoveDocuments(remove);
        } catch (SOAPFaultException fault) {
            System.out.println("fault " + fault.getFault().getFaultString());
        }
    }
}
